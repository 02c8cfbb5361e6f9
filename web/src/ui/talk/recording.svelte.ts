/** The microphone as a voice message: sound, length, and its loudness in at most 64 steps. */

const PEAKS = 64;
const SAMPLE = 100;
/** Samples a second, enough to see how loud it is. */
const RATE = 8_000;
const SHOWN = 48;
/** Five minutes: about 2 MB. */
export const LONGEST = 300;
const KINDS = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];

export interface Recorded {
  readonly blob: Blob;
  readonly seconds: number;
  readonly peaks: Uint8Array;
}

/** Whether this browser lets a page record at all. */
export function recordable(): boolean {
  return typeof MediaRecorder !== "undefined" && typeof navigator.mediaDevices?.getUserMedia === "function";
}

/** The loudest of each stretch, scaled so that the loudest of all is 255. */
export function condense(samples: readonly number[], most = PEAKS): Uint8Array {
  if (samples.length === 0) return new Uint8Array();
  const count = Math.min(most, samples.length);
  const top = Math.max(...samples, 0.001);
  return Uint8Array.from({ length: count }, (_, at) => {
    const from = Math.floor((at * samples.length) / count);
    const to = Math.max(from + 1, Math.floor(((at + 1) * samples.length) / count));
    return Math.round((Math.max(...samples.slice(from, to)) / top) * 255);
  });
}

/** Length and loudness as they were recorded; what was metered meanwhile is nothing where no sound can be put out. */
async function shapeOf(blob: Blob): Promise<Pick<Recorded, "seconds" | "peaks">> {
  const context = new OfflineAudioContext(1, 1, RATE);
  const sound = await context.decodeAudioData(await blob.arrayBuffer());
  const wave = sound.getChannelData(0);
  const step = Math.max(1, Math.round((RATE * SAMPLE) / 1000));
  const loudness = Array.from({ length: Math.ceil(wave.length / step) }, (_, at) =>
    effective(wave.subarray(at * step, (at + 1) * step)),
  );
  return { seconds: sound.duration, peaks: condense(loudness) };
}

/** Root of the mean of squares. */
function effective(wave: Float32Array): number {
  return Math.sqrt(wave.reduce((sum, one) => sum + one * one, 0) / Math.max(1, wave.length));
}

/** One recording, from `start` to `finish` or `drop`. */
export class Recording {
  seconds = $state(0);
  #samples = $state.raw<number[]>([]);
  #stream: MediaStream | undefined;
  #recorder: MediaRecorder | undefined;
  #context: AudioContext | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #pieces: Blob[] = [];

  /** The latest loudness, to be shown while it records. */
  get tail(): Uint8Array {
    return condense(this.#samples.slice(-SHOWN), SHOWN);
  }

  /** Rejects when the microphone was not allowed. */
  async start(): Promise<void> {
    this.#stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const kind = KINDS.find((one) => MediaRecorder.isTypeSupported(one));
    this.#recorder = new MediaRecorder(this.#stream, {
      ...(kind ? { mimeType: kind } : {}),
      audioBitsPerSecond: 32_000,
    });
    this.#recorder.ondataavailable = (event) => this.#pieces.push(event.data);
    this.#recorder.start(1_000);
    const began = performance.now();
    const loudness = this.#meter(this.#stream);
    this.#timer = setInterval(() => {
      this.seconds = (performance.now() - began) / 1000;
      this.#samples = [...this.#samples, loudness()];
      if (this.seconds >= LONGEST) this.#halt();
    }, SAMPLE);
  }

  /** The sound so far; undefined when there is none. */
  async finish(): Promise<Recorded | undefined> {
    const recorder = this.#recorder;
    if (!recorder) return undefined;
    if (recorder.state !== "inactive") {
      const stopped = new Promise((done) => (recorder.onstop = done));
      recorder.stop();
      await stopped;
    }
    this.#halt();
    const blob = new Blob(this.#pieces, { type: recorder.mimeType });
    if (blob.size === 0) return undefined;
    const shape = await shapeOf(blob).catch(() => undefined);
    return { blob, ...(shape ?? { seconds: this.seconds, peaks: condense(this.#samples) }) };
  }

  /** Throw it away and let the microphone go. */
  drop(): void {
    this.#halt();
    void this.#context?.close();
    this.#context = undefined;
  }

  #halt(): void {
    clearInterval(this.#timer);
    if (this.#recorder && this.#recorder.state !== "inactive") this.#recorder.stop();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
  }

  #meter(stream: MediaStream): () => number {
    if (typeof AudioContext === "undefined") return () => 0.5;
    this.#context = new AudioContext();
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 1024;
    this.#context.createMediaStreamSource(stream).connect(analyser);
    const wave = new Float32Array(analyser.fftSize);
    return () => {
      analyser.getFloatTimeDomainData(wave);
      return effective(wave);
    };
  }
}
