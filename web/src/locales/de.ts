/** Deutsch: aller Text der Seite. */
import { deBoards } from "./de-boards.ts";
import { deBox } from "./de-box.ts";
import { deChannels } from "./de-channels.ts";
import { deDoor } from "./de-door.ts";
import { deErrors } from "./de-errors.ts";
import { deOrder } from "./de-order.ts";
import { deReports } from "./de-reports.ts";
import { deLook } from "./de-look.ts";
import { deMessages } from "./de-messages.ts";
import { deProfile } from "./de-profile.ts";
import { plural } from "./format.ts";
import type { Catalogue } from "./index.ts";

export const de: Catalogue = {
  product: "Private Island",
  skip: "Zum Inhalt springen",
  places: {
    label: "Orte",
    messages: "Nachrichten",
    channels: "Kanäle",
    boards: "Foren",
    people: "Leute",
    box: "Box",
    account: "Konto",
    boxPages: "Seiten der Box",
    home: "Überblick",
    relay: "Relais",
    health: "Befinden",
    settings: "Einstellungen",
  },
  common: {
    copy: "Kopieren",
    copied: "Kopiert",
    copyFailed: "Der Browser wollte nicht kopieren. Wähle den Text aus und kopiere ihn von Hand.",
    showQr: "QR-Code zeigen",
    cancel: "Abbrechen",
    close: "Schließen",
    clear: "Leeren",
    keep: "Behalten",
    save: "Speichern",
    remove: "Entfernen",
    undo: "Rückgängig",
    show: "Zeigen",
    hide: "Verbergen",
    back: "Zurück",
    again: "Noch einmal",
    loading: "Wird geladen …",
    working: "Einen Moment …",
    optional: "freiwillig",
    dismiss: "Ausblenden",
    file: "Datei",
  },
  reach: {
    first: "Deine Box wird gesucht …",
    offline:
      "Deine Box antwortet nicht. Was du geschrieben hast, bleibt; die Seite versucht es von selbst weiter.",
    banner: "Deine Box antwortet nicht. Neuer Versuch …",
    load: "Das konnte nicht geladen werden.",
  },
  claim: {
    protect: "Nach jedem Start nach der Passphrase fragen",
    protectHint:
      "Dann kann niemand, der den Datenträger mitnimmt, lesen, was darauf ist. Nach einem Stromausfall bewahrt deine Box aber nur für andere auf, bis du sie öffnest.",
    openHint:
      "Ohne das kommt deine Box nach einem Stromausfall von selbst wieder. Wer aber den Datenträger mitnimmt, kann lesen, was darauf ist, außer den versiegelten Archiven ihrer Leute.",
  },
  strength: {
    label: "Stärke",
    none: "",
    weak: "Leicht zu erraten",
    fair: "Mit Mühe zu erraten",
    good: "Gut",
    strong: "Stark",
  },
  home: {
    title: "Deine Box",
    steps: {
      start: "Tor startet",
      connect: "Verbindet sich mit dem Netz",
      publish: "Gibt deine Adresse bekannt",
      reachable: "Erreichbar",
    },
    phase: {
      off: "Von außen kann niemand deine Box erreichen.",
      starting: "Tor startet.",
      bootstrapping: "Verbindung zum Tor-Netz.",
      publishing: "Deine Adresse wird bekannt gegeben.",
      reachable: "Deine Box ist erreichbar.",
      restarting: "Tor wurde beendet und startet neu.",
      failed: "Tor läuft nicht.",
    },
    progress: (percent: string) => `Mit dem Netz verbunden: ${percent}`,
    version: (version: string, source: string) => `Tor ${version}, ${source}`,
    source: { system: "vom System", bundled: "eingebaut", none: "" },
    outdated: (days: number | null) =>
      days === null
        ? "Dieses Tor ist alt und sollte erneuert werden."
        : `Dieses Tor ist ${days} Tage alt und sollte erneuert werden.`,
    addressTitle: "Adresse deiner Box",
    addressLead:
      "Hier ist deine Box zu finden. Die Adresse ist zugleich der Schlüssel, der beweist, dass sie dir gehört.",
    copyAddress: "Adresse kopieren",
    qrAddress: "QR-Code der Adresse deiner Box",
    qrHint: "Lass die andere Person das scannen.",
    relayTitle: "Für andere",
    relayHolds: (n: number) =>
      plural(n, {
        one: "Dein Relais bewahrt # Umschlag für andere auf",
        other: "Dein Relais bewahrt # Umschläge für andere auf",
      }),
    relayEmpty: "Dein Relais bewahrt gerade nichts auf",
    relayOnly:
      "Diese Box ist nur ein Relais: Sie bewahrt versiegelte Umschläge für Leute auf, deren Boxen aus sind.",
  },
  ...deMessages,
  ...deProfile,
  ...deBoards,
  ...deChannels,
  ...deDoor,
  ...deBox,
  ...deLook,
  ...deOrder,
  ...deReports,
  errors: deErrors,
};
