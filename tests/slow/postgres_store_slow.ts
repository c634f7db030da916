// Durable watches in PostgreSQL: a real server, which the tests start from Debian's package.
import { assertEquals } from "@std/assert";
import { PostgresStore } from "../../functions/watches/postgres_store.ts";
import { type PostgresServer, startPostgres } from "../helpers/postgres.ts";
import { testStore } from "../watches/store_contract.ts";

let server: PostgresServer;

Deno.test.beforeAll(async () => {
  server = await startPostgres();
});

Deno.test.afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

testStore("PostgreSQL", {
  async open() {
    const store = new PostgresStore(await server.createDatabase(), { maxWatches: 100 });
    return {
      store,
      advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  },
});
