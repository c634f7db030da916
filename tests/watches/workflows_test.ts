// Durable watches on Cloudflare Workflows, with a fake binding; `deno task runtimes` uses the emulator.
// Like the hosted binding and unlike the emulator, the fake throws when an id exists.
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type default as cloudflare, WatchWorkflow } from "../../functions/cloudflare.ts";
import { MAX_DEADLINE } from "../../functions/watches/request_schema.ts";
import type { Watch } from "../../functions/watches/state.ts";
import {
  createWorkflowWatches,
  runWatch,
  type WorkflowBinding,
  type WorkflowStep,
} from "../../functions/watches/workflows.ts";
import { captureConsole, KEY, post, problemOf, TOKEN } from "../helpers/endpoint.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { createFakePlatform, type FakeTask } from "../helpers/fake_platform.ts";
import { CALLBACK_SECRET, configWith, createReceiver } from "../helpers/watches.ts";

const HOOK = "https://hooks.example/end";
const DONE = { status: "success", result: "s-1", result_type: "source" } as const;

/** Creates a binding whose instances run when the test runs them. */
function setUp(status: (id: string, before: number) => number = () => 204) {
  const platform = createFakePlatform({ token: TOKEN });
  const receiver = createReceiver(status);
  const config = configWith("hooks.example");
  const instances = new Map<string, { status: string; output?: Watch; params: Watch }>();
  const steps: string[] = [];
  const get = (id: string) => {
    const instance = instances.get(id);
    if (!instance) throw new Error("instance.not_found");
    return Promise.resolve({
      id,
      status: () => Promise.resolve(instance),
      terminate: () => Promise.resolve(void (instance.status = "terminated")),
    });
  };
  const binding: WorkflowBinding = {
    async create({ id, params }) {
      await Promise.resolve();
      if (instances.has(id)) throw new Error("instance.already_exists");
      instances.set(id, { status: "queued", params });
      return await get(id);
    },
    get: async (id) => await get(id),
  };
  const done = new Map<string, Watch | undefined>();
  const step: WorkflowStep = {
    async do(name, _config, run) {
      const before = done.get(name);
      if (before) return before;
      if (steps.length === setup.stopAt) throw new Error("the platform restarts it");
      steps.push(name);
      const watch = structuredClone(await run());
      done.set(name, watch);
      return watch;
    },
    async sleep(name, time) {
      if (done.has(name)) return;
      await new Promise((resolve) => setTimeout(resolve, time));
      done.set(name, undefined);
    },
  };
  /** Runs an instance to its end and returns its watch. */
  async function run(id: string): Promise<Watch> {
    const instance = instances.get(id);
    assert(instance);
    instance.status = "running";
    instance.output = await runWatch(config, instance.params, step, {
      fetch: platform.fetch,
      callbackFetch: (input, init) => receiver.answer(new Request(input, init)),
      random: () => 0,
      log: () => {},
    });
    instance.status = "complete";
    return instance.output;
  }
  const watches = createWorkflowWatches(binding);
  const begin = (task: FakeTask, deadline = 86_400_000) => {
    const { organization, workspace, id } = platform.add({ id: "t-1", ...task });
    const ids = { organizationId: organization, workspaceId: workspace, taskId: id };
    return watches.start({
      key: "c".repeat(64),
      instance: "app.deepint.net",
      ids,
      callbackUrl: HOOK,
      deadline,
    });
  };
  const setup = { watches, begin, run, steps, receiver, platform, instances, binding, stopAt: -1 };
  return setup;
}

Deno.test("an instance polls on the schedule and delivers until its event is accepted", async () => {
  using clock = new FakeClock();
  const setup = setUp((_id, before) => before < 2 ? 500 : 200);
  const steps = [{ status: "running", ms: 100_000 }, DONE];
  const { id, state } = await setup.begin({ steps });
  assertEquals([id, state], [`${"c".repeat(64)}-0`, "watching"]);
  const watch = await clock.runUntil(setup.run(id));
  assertEquals([watch.state, watch.attempts, watch.polls], ["delivered", 3, 28]);
  assertEquals(setup.steps.length, 31);
  assertEquals(new Set(setup.steps).size, 31, "a step is known by its name");
  assertEquals(new Set(setup.receiver.received.map((one) => one.id)), new Set([watch.eventId]));
  assertEquals((await setup.watches.status(id))?.state, "delivered");
  assertEquals(clock.pending, 0);
});

Deno.test("a restarted instance resumes where it was", async () => {
  using clock = new FakeClock();
  const setup = setUp();
  const { id } = await setup.begin({ steps: [{ status: "running", ms: 100_000 }, DONE] });
  for (setup.stopAt of [1, 7, 28]) {
    await assertRejects(() => clock.runUntil(setup.run(id)), Error, "restarts it");
  }
  setup.stopAt = -1;
  const watch = await clock.runUntil(setup.run(id));
  assertEquals([watch.state, watch.attempts, watch.polls], ["delivered", 1, 28]);
  assertEquals([setup.platform.count(), setup.steps.length], [28, 29]);
});

Deno.test("cancelling a watch that ends meanwhile succeeds", async () => {
  const setup = setUp();
  const { id } = await setup.begin(DONE);
  const racing = createWorkflowWatches({
    ...setup.binding,
    async get(id) {
      const instance = await setup.binding.get(id);
      const terminate = async () => {
        await setup.run(id);
        throw new Error("instance is not running");
      };
      return { ...instance, terminate };
    },
  });
  assertEquals((await racing.cancel(id))?.state, "delivered");
  const failing = createWorkflowWatches({
    ...setup.binding,
    get: async (id) => ({
      ...await setup.binding.get(id),
      status: () => Promise.resolve({ status: "running" }),
      terminate: () => Promise.reject(new Error("internal error")),
    }),
  });
  await assertRejects(() => failing.cancel(id), Error, "internal error");
});

Deno.test("the longest watch has fewer steps than a free Workflow may have", async () => {
  using clock = new FakeClock();
  const setup = setUp(() => 500);
  const { id } = await setup.begin({ status: "running" }, MAX_DEADLINE * 1_000);
  const watch = await clock.runUntil(setup.run(id), 40 * 86_400_000);
  assertEquals([watch.state, watch.event?.type], ["failed", "task.expired"]);
  assert(setup.steps.length < 1_000, `${setup.steps.length}`);
});

Deno.test("concurrent starts of a watch share one instance, though create throws", async () => {
  const setup = setUp();
  const begun = await Promise.all(Array.from({ length: 20 }, () => setup.begin({})));
  assertEquals(new Set(begun.map(({ id }) => id)).size, 1);
  assertEquals(setup.instances.size, 1);
});

Deno.test("a new generation starts after a cancelled or failed instance", async () => {
  const setup = setUp(() => 410);
  const ends: string[] = [];
  const { id } = await setup.begin(DONE);
  assertEquals((await setup.watches.cancel(id))?.state, "cancelled");
  assertEquals((await setup.watches.cancel(id))?.state, "cancelled");
  const second = await setup.begin(DONE);
  assertEquals((await setup.run(second.id)).state, "failed");
  const third = await setup.begin(DONE);
  const instance = setup.instances.get(third.id);
  assert(instance);
  instance.status = "errored";
  const fourth = await setup.begin(DONE);
  for (const { id } of [second, third, fourth]) ends.push(id.slice(64));
  assertEquals(ends, ["-1", "-2", "-3"]);
  assertEquals(await setup.watches.status(`${"d".repeat(64)}-0`), undefined);
  assertEquals(await setup.watches.cancel(`${"d".repeat(64)}-0`), undefined);
});

Deno.test("an error of Workflows is not reported as a missing watch", async () => {
  const setup = setUp();
  const failing = createWorkflowWatches({
    ...setup.binding,
    get: () => Promise.reject(new Error("internal error")),
  });
  await assertRejects(() => failing.status(`${"d".repeat(64)}-0`), Error, "internal error");
  setup.binding.create = () => Promise.reject(new Error("too many instances"));
  await assertRejects(() => setup.begin(DONE), Error, "too many instances");
});

Deno.test("cloudflare.ts with callbacks and without a Workflow is 503 misconfigured", async () => {
  const bindings = {
    DEEPINT_TOKEN: TOKEN,
    RESOLVE_API_KEYS: KEY,
    RESOLVE_CALLBACK_HOSTS: `hooks.example=${CALLBACK_SECRET}`,
  };
  using output = captureConsole();
  const authorized = post({}, { headers: { authorization: `Bearer ${KEY}` } });
  const request = new Request("https://endpoint.example/watches", authorized);
  // a new module, because the first request reads the settings
  const fresh: { default: typeof cloudflare } = await import("../../functions/cloudflare.ts?fresh");
  const answer = await fresh.default.fetch(request, bindings, { waitUntil() {} });
  assertMatch((await problemOf(answer)).detail, /RESOLVE_CALLBACK_HOSTS/);
  assertMatch(String(output.log), /bound as WATCHES/);
  assertEquals(typeof WatchWorkflow.prototype.run, "function");
});
