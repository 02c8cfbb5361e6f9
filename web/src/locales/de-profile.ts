/** German: the picture and the time zone of one's profile, and what is seen of those of others. */

export const deProfile = {
  profile: {
    picture: "Dein Bild",
    pictureHint:
      "Leute, die du angenommen hast, sehen es statt der gezeichneten Insel. Es wird in diesem Browser verkleinert, und nur das Bild selbst verlässt ihn: kein Ort, keine Zeit, kein Name einer Kamera.",
    choose: "Bild auswählen",
    another: "Anderes Bild auswählen",
    removePicture: "Bild entfernen",
    working: "Wird verkleinert…",
    pictureRemoved: "Das Bild wurde entfernt.",
    problems: {
      large: "Diese Datei hat mehr als 20 MB. Wähle eine kleinere.",
      unreadable:
        "Dieser Browser kann aus dieser Datei kein Bild lesen. Wähle ein Foto oder eine Zeichnung: JPEG, PNG oder WebP.",
      closed:
        "Dieser Browser lässt keine Seite Bilder zurücklesen, darum kann deines hier nicht verkleinert werden. Im Tor Browser: Klicke auf das Bildzeichen neben der Adresse, erlaube Canvas-Daten und wähle das Bild noch einmal. Oder wähle ein JPEG, das schon klein ist: höchstens 8 kB, und 256 mal 256 Pixel.",
    },
    zone: "Zeitzone",
    zoneLead: "Zeiten und Tage erscheinen auf allen deinen Geräten in dieser Zone.",
    zoneLabel: "Zeiten erscheinen in",
    zoneHint:
      "Der Tor Browser nennt jeder Seite dieselbe Zone, wo du auch bist. Wähle hier deine, um deine eigene Zeit zu sehen.",
    zoneOfBrowser: (name: string) => `Die des Browsers (${name})`,
    tellZone: "Meine Zeitzone Leuten zeigen, die ich angenommen habe",
    tellZoneHint: "Sie sehen dann, wie spät es bei dir ist, und damit ungefähr, wo du bist.",
    tellZoneFirst: "Wähle erst oben eine Zone, damit alle deine Geräte dasselbe sagen.",
    forThem: (time: string) => `dort ${time}`,
  },
};
