// The command `sign`.
import { assertEquals, assertMatch } from "@std/assert";
import { Webhook } from "standardwebhooks";
import { assertNoSecrets } from "../helpers/client.ts";
import { documents, ended, platformWith } from "../helpers/cli.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

Deno.test("sign prints headers that verify the exact body, and not the secret", async () => {
  const settings = { RESOLVE_WEBHOOK_SECRETS: ` ${SECRET} ,whsec_${btoa("x".repeat(24))}` };
  await using server = platformWith();
  await Promise.all(['{"é": 1}\n', "", "\ufeff{}"].map(async (body) => {
    const { code, stdout, stderr } = await ended(server.run(["sign"], settings, body));
    assertEquals([code, stderr], [0, ""]);
    const lines = [...stdout.matchAll(/^-H '([a-z-]+): (.+)'$/gm)].map(([, ...line]) => line);
    assertEquals(lines.length, 3);
    new Webhook(SECRET).verify(body, Object.fromEntries(lines), { jsonParse: false });
    assertNoSecrets([stdout], SECRET.slice(6));
  }));
});

Deno.test("sign --body signs a file and rejects one that is missing or not UTF-8", async () => {
  await using server = platformWith();
  const settings = { RESOLVE_WEBHOOK_SECRETS: SECRET };
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/body.json`, "{}\n");
    const signed = ["sign", "--json", "--body", `${folder}/body.json`];
    const { stdout } = await ended(server.run(signed, settings));
    new Webhook(SECRET).verify("{}\n", documents(stdout)[0]);
    await Deno.writeFile(`${folder}/image`, Uint8Array.of(0xff, 0xd8));
    for (const [name, why] of [["image", /not UTF-8/], ["none", /Cannot read/]] as const) {
      const unsigned = await ended(server.run(["sign", "--body", `${folder}/${name}`], settings));
      assertEquals([unsigned.code, unsigned.stdout], [1, ""]);
      assertMatch(unsigned.stderr, why);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const secrets = ["", "canary-secret", "canarysecret", "whsec_canary*", `whsec_${btoa("canary")}`];
  for (const secret of secrets) {
    const refused = await ended(server.run(["sign"], { RESOLVE_WEBHOOK_SECRETS: secret }, "{}"));
    assertEquals([refused.code, refused.stdout], [5, ""]);
    assertMatch(refused.stderr, /^error: (?!.*canary).*RESOLVE_WEBHOOK_SECRETS.*\n$/);
  }
});
