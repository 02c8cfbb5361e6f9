/** German: how the box shows itself, what it forgets, how fast it answers. */

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
    boards: "Foren",
    channels: "Kanäle",
    preview: "So sieht die Tür aus",
    day: "Bei Tag",
    night: "Bei Nacht",
    saved: "Gespeichert. Jetzt sehen es alle.",
    rules: "Hausregeln",
    rulesLead: (box: string) => `Was auf ${box} gilt.`,
  },
  forgetting: {
    title: "Was die Box vergisst",
    lead: "Einmal am Tag werden Zeiten von Ruhendem zu ganzen Tagen, und Gelöschtes wird in der Datei überschrieben, damit es sich nicht von der Platte zurücklesen lässt.",
    never: "Seit dem Beginn dieser Box ist das noch nicht geschehen.",
    last: "Zuletzt:",
    coarsened: (rows: string) => `${rows} Zeiten wurden vergröbert.`,
    blanked: (pages: string, gaps: string) =>
      `${pages} freie Seiten und ${gaps} Lücken wurden überschrieben.`,
    notBlanked: "Es war nichts zu überschreiben, oder es ging an der Datei nicht.",
    now: "Jetzt vergessen",
    done: "Vergessen.",
    speedTitle: "Wie schnell die Box antwortet",
    speedLead: "Seit dem Start, das Langsamste zuerst. Antworten, die auf Neues warten, zählen nicht.",
    speedEmpty: "Noch wurde nichts gefragt.",
    times: (half: string, most: string, slowest: string) =>
      `die Hälfte in ${half}, 95 von 100 in ${most}, 99 in ${slowest}`,
    counts: (requests: string, refused: string, faults: string) =>
      `${requests} Anfragen, ${refused} abgelehnt, ${faults} gescheitert`,
    all: (n: string) => `Alle ${n} zeigen`,
    fewer: "Weniger zeigen",
  },
};
