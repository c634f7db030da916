/** Loopback addresses. */

/** Returns `true` for a loopback host: a name, an address, or the form of `URL.hostname`. */
export function isLoopback(host: string): boolean {
  return /^(localhost|\[?::1\]?|(::ffff:)?127(\.\d{1,3}){3})$/.test(host);
}
