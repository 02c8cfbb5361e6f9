/** Giving other work of the page its turn, without the second that timers wait in a page that is not in view. */

/** Resolves after what waits in the page has run. */
export function turn(): Promise<void> {
  if (typeof MessageChannel === "undefined") return new Promise((done) => setTimeout(done));
  return new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      done();
    };
    port2.postMessage(0);
  });
}
