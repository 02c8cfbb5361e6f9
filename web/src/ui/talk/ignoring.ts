/** Ignoring somebody, as an entry of a menu: it can be taken back at once. */
import { t } from "../../locales/index.ts";
import { messenger } from "../../state/engine.ts";
import { toasts } from "../../state/toasts.svelte.ts";

/** Begin or end to ignore a member of this box. */
export async function ignore(name: string, ignored: boolean): Promise<void> {
  try {
    await messenger.ignore(name, ignored);
    if (ignored)
      toasts.show(t.ignoring.done(name), "plain", {
        label: t.common.undo,
        run: () => void ignore(name, false),
      });
  } catch (error) {
    toasts.fail(error);
  }
}

/** What a menu offers about whoever wrote something. */
export function ignoreItem(name: string): { label: string; icon: "eye" | "eyeOff"; run: () => void } {
  const ignored = messenger.ignored.has(name);
  return {
    label: ignored ? t.ignoring.stop(name) : t.ignoring.begin(name),
    icon: ignored ? "eye" : "eyeOff",
    run: () => void ignore(name, !ignored),
  };
}
