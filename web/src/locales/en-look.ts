/** English: how the box shows itself. */

export const enLook = {
  look: {
    title: "How this box shows itself",
    nav: "Name and looks",
    lead: "Everybody who comes to the box sees this, signed in or not.",
    name: "Name of the box",
    nameBad: "The box needs a name.",
    welcome: "Welcome",
    welcomeHint: "Shown above the sign-in. Plain text; lines stay lines.",
    policy: "House rules",
    policyHint: "Shown at the door, and to members under “People”.",
    accent: "Accent colour",
    accents: { sea: "Sea", forest: "Forest", plum: "Plum", clay: "Clay", slate: "Slate" },
    registration: "Who may create an account",
    registrations: { open: "Anybody", invite: "With an invite", closed: "Nobody" },
    on: "What there is",
    boards: "Boards",
    channels: "Channels",
    preview: "This is how the door looks",
    day: "By day",
    night: "By night",
    saved: "Saved. Everybody sees it now.",
    rules: "House rules",
    rulesLead: (box: string) => `What holds on ${box}.`,
  },
};
