/** The microphone as a voice message: sound, length, and its loudness in at most 64 steps. */

const PEAKS = 64;
const SAMPLE = 100;
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
    return blob.size > 0 ? { blob, seconds: this.seconds, peaks: condense(this.#samples) } : undefined;
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
      return Math.sqrt(wave.reduce((sum, one) => sum + one * one, 0) / wave.length);
    };
  }
}
