/** Pools of concurrent steps: polls and deliveries, with a limit for each host of deliveries. */
import { POLLS } from "./state.ts";

/** Limits of one process. */
const MAX_POLLS = 64;
const MAX_DELIVERIES = 64;
const MAX_HOST_DELIVERIES = 8;
/** Limit of a host whose last delivery timed out. */
const MAX_SLOW_HOST_DELIVERIES = 1;

/** Slots for the steps of one process, shared by everything that starts steps. */
export class Pools {
  readonly #used = new Map<string, number>();
  readonly #slowHosts = new Set<string>();
  #deliveries = 0;

  /** Takes up to `max` free slots of a queue and returns their number. */
  reserve(queue: string, max = Infinity): number {
    const slots = Math.max(0, Math.min(max, this.#room(queue)));
    this.#add(queue, slots);
    return slots;
  }

  /** Returns slots of a queue. */
  release(queue: string, slots = 1): void {
    this.#add(queue, -slots);
  }

  /** Records whether the last delivery to a host timed out. */
  setSlow(queue: string, isSlow: boolean): void {
    if (queue === POLLS) return;
    if (isSlow) this.#slowHosts.add(queue);
    else this.#slowHosts.delete(queue);
  }

  #room(queue: string): number {
    const used = this.#used.get(queue) ?? 0;
    if (queue === POLLS) return MAX_POLLS - used;
    const limit = this.#slowHosts.has(queue) ? MAX_SLOW_HOST_DELIVERIES : MAX_HOST_DELIVERIES;
    return Math.min(limit - used, MAX_DELIVERIES - this.#deliveries);
  }

  #add(queue: string, slots: number): void {
    const used = (this.#used.get(queue) ?? 0) + slots;
    if (used > 0) this.#used.set(queue, used);
    else this.#used.delete(queue);
    if (queue !== POLLS) this.#deliveries += slots;
  }
}
