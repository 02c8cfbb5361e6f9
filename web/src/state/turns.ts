/** Giving other work of the page its turn, without the second that timers wait in a page that is not in view. */

/** Milliseconds after which a page that should be drawn is taken for one that is not. */
const DRAWN = 100;

/** Runs `run` just before the page is drawn the next time, or soon where nothing is drawn; returns what takes it back. */
export function beforeDrawing(run: () => void): () => void {
  let over = false;
  const once = (): void => {
    if (over) return;
    end();
    run();
  };
  const seen = typeof document !== "undefined" && document.visibilityState === "visible";
  const frame = seen && typeof requestAnimationFrame !== "undefined" ? requestAnimationFrame(once) : 0;
  const timer = frame ? setTimeout(once, DRAWN) : undefined;
  const end = (): void => {
    over = true;
    if (frame) cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
  if (!frame) void turn().then(once);
  return end;
}

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
