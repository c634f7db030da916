/** Waiting for the lock of a KV file. SQLite refuses a locked file immediately, without waiting. */
import { sleep } from "../../src/internal/deadline.ts";

const LOCK_TIMEOUT_MS = 10_000;
const LOCK_RETRY_MS = 20;

/** Repeats `work` while another process has the file locked, for at most 10 seconds. */
export async function retryWhileLocked<T>(work: () => Promise<T>): Promise<T> {
  for (let waited = 0;;) {
    try {
      return await work();
    } catch (error) {
      const isLocked = error instanceof Error && /\blocked\b/.test(error.message);
      if (!isLocked || waited > LOCK_TIMEOUT_MS) throw error;
    }
    const wait = 1 + Math.random() * LOCK_RETRY_MS;
    waited += wait;
    await sleep(wait);
  }
}
