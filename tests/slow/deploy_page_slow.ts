// The SQL of .github/docs/deploy.md in PostgreSQL. Functions stand in for the extensions pg_cron and pg_net,
// which exist on Supabase.
import { assertEquals } from "@std/assert";
import postgres from "postgres";
import { blockOf } from "../helpers/pages.ts";
import { startPostgres } from "../helpers/postgres.ts";

const EXTENSIONS = `
  create schema cron; create schema net;
  create table net.calls (url text, headers jsonb, timeout int);
  create function cron.schedule(name text, schedule text, command text) returns text
    language plpgsql as 'begin execute command; return schedule; end';
  create function net.http_post(url text, headers jsonb, timeout_milliseconds int) returns int
    language sql as 'insert into net.calls values ($1, $2, $3) returning 1';
`;

Deno.test("deploy.md: the cron of Supabase sends a request to sweep each minute", async () => {
  await using server = await startPostgres();
  const sql = postgres(await server.createDatabase(), { onnotice() {} });
  try {
    await sql.unsafe(EXTENSIONS);
    const scheduled = await sql.unsafe(blockOf(".github/docs/deploy.md", "sql"));
    assertEquals([...scheduled], [{ schedule: "* * * * *" }]);
    assertEquals([...await sql`select * from net.calls`], [{
      url: "https://your-project.supabase.co/functions/v1/resolve-task/watches/sweep",
      headers: { authorization: "Bearer your-api-key" },
      timeout: 30_000,
    }]);
  } finally {
    await sql.end();
  }
});
