/** Statements of the watches in PostgreSQL. Each is a transaction, so that no process holds a lock. */

const MAX_DELETED = 1_000;

/** Ends statements whose client no longer waits: a server notices only when it responds. */
export const TERMINATE = `select pg_terminate_backend(pid) from pg_stat_activity
  join json_array_elements_text($1::text::json) name on application_name = name`;

const NOW = "extract(epoch from clock_timestamp())::float8 * 1000";

export const EXISTS = `select ${NOW} as now, to_regclass('deepint_watches') is not null as exists`;

// one implicit transaction, locked against processes that start at the same time; host '' is the sum
export const SCHEMA = `
  select pg_advisory_xact_lock(hashtext('deepint_watches'));
  create table if not exists deepint_watch_counts (
    host text collate "C" primary key, open bigint not null default 0,
    delivered bigint not null default 0, failed bigint not null default 0,
    timed_out bigint not null default 0);
  insert into deepint_watch_counts (host) values ('') on conflict do nothing;
  create table if not exists deepint_watches (
    key text collate "C", generation integer, revision bigint not null default 1,
    queue text collate "C", workspace text collate "C" not null, host text collate "C" not null,
    state text not null, started_at float8 not null, claimable_at float8 not null,
    watch text not null, primary key (key, generation));
  create index if not exists deepint_watches_due on deepint_watches (queue, claimable_at)
    where queue is not null;
  create index if not exists deepint_watches_polled on deepint_watches (workspace, key, generation)
    where queue = '';
  create index if not exists deepint_watches_finished on deepint_watches (claimable_at)
    where queue is null;
  create index if not exists deepint_watches_list on deepint_watches (started_at, key, generation)`;

const INPUT = `input as materialized (
  select * from json_to_recordset($1::text::json) as _ (
    key text, generation integer, revision bigint, queue text, workspace text, host text, state text,
    started_at float8, claimable_at float8, watch text, n integer,
    open integer, delivered integer, failed integer, timed_out integer))`;

export const HEADS = `
  select ${NOW} as now, input.key, head.* from json_array_elements_text($1::text::json) input (key)
  left join lateral (select generation, watch from deepint_watches where key = input.key
    order by generation desc limit 1) head on true`;

// here and in SAVE the sum is locked before the counters of hosts, to avoid a deadlock
export const INSERT = `
  with ${INPUT}, total as materialized (
    select open from deepint_watch_counts where host = '' for update
  ), added as (
    insert into deepint_watches
      (key, generation, queue, workspace, host, state, started_at, claimable_at, watch)
    select key, generation, queue, workspace, host, state, started_at, claimable_at, watch
    from input, total where n < $2::bigint - total.open on conflict do nothing returning key, host
  ), counted as (
    insert into deepint_watch_counts as counts (host, open)
    select label, count(*) from added, unnest(array['', host]) label group by label
    on conflict (host) do update set open = counts.open + excluded.open
  )
  select total.open::float8, added.key from total left join added on true`;

export const SAVE = `
  with ${INPUT}, locked as materialized (
    select input.* from input join deepint_watches it using (key, generation)
    where it.revision = input.revision order by key, generation for update of it
  ), saved as (
    update deepint_watches it set revision = it.revision + 1, queue = locked.queue,
      state = locked.state, claimable_at = locked.claimable_at, watch = locked.watch
    from locked where it.key = locked.key and it.generation = locked.generation
      and it.revision = locked.revision returning locked.*, it.revision as next
  ), total as materialized (
    select from deepint_watch_counts where host = ''
      and exists (select from saved where open <> 0 or timed_out <> 0) for update
  ), counted as (
    update deepint_watch_counts it set open = it.open + more.open, failed = it.failed + more.failed,
      delivered = it.delivered + more.delivered, timed_out = it.timed_out + more.timed_out
    from total, (select label, sum(open) as open, sum(delivered) as delivered,
        sum(failed) as failed, sum(timed_out) as timed_out
      from saved, unnest(array['', host]) label group by label) more
    where it.host = more.label
  )
  select key, generation, next as revision from saved`;

export const CLAIM = `
  with clock as materialized (select ${NOW} as now), due as materialized (
    select key, generation from deepint_watches
    where queue = $1 and claimable_at <= (select now from clock)
    order by claimable_at limit $2::integer for update skip locked)
  update deepint_watches it set revision = revision + 1,
    claimable_at = (select now from clock) + $3::float8
  from due where it.key = due.key and it.generation = due.generation returning it.*`;

// finds the first entry of each queue in the index without reading the others
export const NEXT_DUE = `
  with recursive next as (
    (select queue, claimable_at from deepint_watches where queue is not null
      order by queue, claimable_at limit 1)
    union all select it.* from next, lateral (
      select queue, claimable_at from deepint_watches where queue > next.queue
      order by queue, claimable_at limit 1) it)
  select ${NOW} as now, next.* from (select) one left join next on true`;

export const GET = `select ${NOW} as now, it.* from deepint_watches it
  join json_to_recordset($1::text::json) as _ (key text, generation integer) using (key, generation)`;

export const OPEN = `select * from deepint_watches where queue = '' and workspace = $1
  and (key, generation) > ($2, $3::integer)
  order by key, generation limit $4::integer`;

export const LIST = `select * from deepint_watches where state = coalesce($1, state)
  and ($2::float8 is null or (started_at, key, generation) < ($2, $3::text, $4::integer))
  order by started_at desc, key desc, generation desc limit $5::integer`;

export const STATS = `
  select ${NOW} as now, host, open::float8, delivered::float8, failed::float8, timed_out::float8, due.*
  from deepint_watch_counts, (
    select count(*)::float8 as due, min(claimable_at) as oldest from deepint_watches
    where queue is not null and claimable_at <= (select ${NOW})) due`;

export const PING = "update deepint_watch_counts set open = open where host = ''";

export const DELETE_FINISHED = `
  delete from deepint_watches where (key, generation) in (select key, generation from deepint_watches
    where queue is null and claimable_at <= (select ${NOW})
    order by claimable_at limit ${MAX_DELETED} for update skip locked)`;
