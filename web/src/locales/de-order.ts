/** German: order among members. */

export const deOrder = {
  refusals: {
    suspendedUntil: (when: string) => `Dieses Konto ist gesperrt bis ${when}.`,
    reason: (words: string) => `Der genannte Grund: „${words}“`,
    bannedUntil: (when: string) => `Du darfst hier bis ${when} nicht schreiben.`,
    waits: (when: string) =>
      `Noch ist nichts geschehen: Das wartet auf einen zweiten Verwalter, bis ${when}. So lange kann man zustimmen oder es zurücknehmen.`,
    karma: (needed: string, have: string) =>
      `Dafür braucht es ein Karma von ${needed}, du hast ${have}. Es kommt vom Dank für das, was du schreibst.`,
    wait: (time: string) => `Warte ${time}, bevor du weitermachst.`,
  },
  power: {
    suspendTitle: (name: string) => `${name} sperren`,
    suspendLead: "Jede Anmeldung endet sofort, und keine beginnt, solange die Sperre dauert.",
    banTitle: (name: string) => `${name} das Schreiben verbieten`,
    banLead: "Verborgen wird dadurch nichts: Lesen geht weiter, Schreiben nicht.",
    ban: "Schreiben verbieten",
    banGo: "Verbieten",
    where: "Wo",
    area: { boards: "auf allen Brettern", channels: "in allen Kanälen" },
    place: { boards: "auf einem Brett", channels: "in einem Kanal" },
    until: "Bis wann",
    spans: { "1": "Ein Tag", "7": "Eine Woche", "30": "30 Tage", date: "Ein Datum", never: "Ohne Ende" },
    date: "Letzter Tag",
    dateBad: "Wähle einen Tag, der noch kommt.",
    dateFar: (days: number) =>
      `Moderatoren dürfen höchstens ${days} Tage wählen; länger dürfen nur Verwalter.`,
    reason: "Grund",
    reasonHint: "Steht da, wenn sich jemand mit dem Konto anmelden will.",
    lift: (where: string) => `Verbot aufheben: ${where}`,
    lifted: "Das Verbot ist aufgehoben.",
    banned: (where: string) => `darf ${where} nicht schreiben`,
    ends: (when: string) => `bis ${when}`,
    endless: "bis es jemand aufhebt",
    suspendedFor: (reason: string) => `Grund: „${reason}“`,
    role: "Rolle und Grenzen",
    roleTitle: (name: string) => `Was ${name} darf`,
    roleLabel: "Rolle",
    roleHints: {
      admin: "Sieht mit dir nach der Box: Mitglieder, Bretter, ihr Aussehen.",
      moderator: "Hält Ordnung: Meldungen, Beiträge, Sperren bis zu 30 Tagen.",
      member: "Schreibt und liest.",
      agent: "Ein Programm. Es dankt nicht und meldet nichts.",
      owner: "Alles.",
    } as Record<string, string>,
    post: "Darf Beiträge schreiben",
    upload: "Darf Dateien hochladen",
    allowances: { yes: "Ja", no: "Nein", "by karma": "Mit genug Karma" },
    limits: { post: "darf nicht schreiben", upload: "darf nichts hochladen" },
    karma: (n: string) => `Karma ${n}`,
  },
};
