/** German: how the box shows itself. */

export const deLook = {
  look: {
    title: "Wie sich diese Box zeigt",
    nav: "Name und Aussehen",
    lead: "Das sehen alle, die zu der Box kommen, angemeldet oder nicht.",
    name: "Name der Box",
    nameBad: "Die Box braucht einen Namen.",
    welcome: "Willkommen",
    welcomeHint: "Steht über der Anmeldung. Einfacher Text; Zeilen bleiben Zeilen.",
    policy: "Hausregeln",
    policyHint: "Stehen an der Tür, und für Mitglieder unter „Leute“.",
    accent: "Akzentfarbe",
    accents: { sea: "Meer", forest: "Wald", plum: "Pflaume", clay: "Ton", slate: "Schiefer" },
    registration: "Wer ein Konto anlegen darf",
    registrations: { open: "Jeder", invite: "Mit Einladung", closed: "Niemand" },
    on: "Was es gibt",
    boards: "Bretter",
    channels: "Kanäle",
    preview: "So sieht die Tür aus",
    day: "Bei Tag",
    night: "Bei Nacht",
    saved: "Gespeichert. Jetzt sehen es alle.",
    rules: "Hausregeln",
    rulesLead: (box: string) => `Was auf ${box} gilt.`,
  },
};
