/** English: all text of the page. Sentences about what the box does come from the box itself. */
import { enBoards } from "./en-boards.ts";
import { enBox } from "./en-box.ts";
import { enChannels } from "./en-channels.ts";
import { enDoor } from "./en-door.ts";
import { enErrors } from "./en-errors.ts";
import { enOrder } from "./en-order.ts";
import { enReports } from "./en-reports.ts";
import { enLook } from "./en-look.ts";
import { enMessages } from "./en-messages.ts";
import { enProfile } from "./en-profile.ts";
import { plural } from "./format.ts";

export const en = {
  product: "Private Island",
  skip: "Skip to the content",
  places: {
    label: "Places",
    messages: "Messages",
    channels: "Channels",
    boards: "Boards",
    people: "People",
    box: "Box",
    account: "Account",
    boxPages: "Pages of the box",
    home: "At a glance",
    relay: "Relay",
    health: "Health",
    settings: "Settings",
  },
  common: {
    copy: "Copy",
    copied: "Copied",
    copyFailed: "The browser would not copy. Select the text and copy it by hand.",
    showQr: "Show QR code",
    cancel: "Cancel",
    close: "Close",
    clear: "Clear",
    keep: "Keep it",
    save: "Save",
    remove: "Remove",
    undo: "Undo",
    show: "Show",
    hide: "Hide",
    back: "Back",
    again: "Try again",
    loading: "Loading…",
    working: "One moment…",
    optional: "optional",
    dismiss: "Dismiss",
    file: "File",
  },
  reach: {
    first: "Reaching your box…",
    offline: "Your box does not answer. What you typed is kept; this page tries again by itself.",
    banner: "Your box does not answer. Trying again…",
    load: "This could not be loaded.",
  },
  claim: {
    protect: "Ask for the passphrase after every start",
    protectHint:
      "Then nobody who takes the disk can read what is on it. But after a power cut your box only relays for others until you come and unlock it.",
    openHint:
      "Without it, your box comes back after a power cut by itself. But whoever takes the disk can read what is on it, except the sealed archives of its people.",
  },
  strength: {
    label: "Strength",
    none: "",
    weak: "Easy to guess",
    fair: "Could be guessed with effort",
    good: "Good",
    strong: "Strong",
  },
  home: {
    title: "Your box",
    steps: {
      start: "Tor starts",
      connect: "Connects to the network",
      publish: "Announces your address",
      reachable: "Reachable",
    },
    phase: {
      off: "Nobody outside can reach your box.",
      starting: "Tor is starting.",
      bootstrapping: "Connecting to the Tor network.",
      publishing: "Announcing your address.",
      reachable: "Your box can be reached.",
      restarting: "Tor stopped and is starting again.",
      failed: "Tor does not run.",
    },
    progress: (percent: string) => `Connected to the network: ${percent}`,
    version: (version: string, source: string) => `Tor ${version}, ${source}`,
    source: { system: "from your system", bundled: "built in", none: "" },
    outdated: (days: number | null) =>
      days === null
        ? "This Tor is old and should be updated."
        : `This Tor is ${days} days old and should be updated.`,
    addressTitle: "Address of your box",
    addressLead: "This is where your box can be found. It is also the key that proves your box is yours.",
    copyAddress: "Copy address",
    qrAddress: "QR code of the address of your box",
    qrHint: "Let the other person scan this.",
    relayTitle: "For others",
    relayHolds: (n: number) =>
      plural(n, {
        one: "Your relay holds # envelope for others",
        other: "Your relay holds # envelopes for others",
      }),
    relayEmpty: "Your relay holds nothing at the moment",
    relayOnly: "This box only relays: it holds sealed envelopes for people whose boxes are off.",
  },
  ...enMessages,
  ...enProfile,
  ...enBoards,
  ...enChannels,
  ...enDoor,
  ...enBox,
  ...enLook,
  ...enOrder,
  ...enReports,
  errors: enErrors,
};
