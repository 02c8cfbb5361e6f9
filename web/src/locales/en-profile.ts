/** English: the picture and the time zone of one's profile, and what is seen of those of others. */

export const enProfile = {
  profile: {
    picture: "Your picture",
    pictureHint:
      "People whom you have accepted see it in place of the drawn island. It is made small in this browser, and nothing of the file but the picture leaves it: no place, no time, no name of a camera.",
    choose: "Choose a picture",
    another: "Choose another picture",
    removePicture: "Remove picture",
    working: "Making it small…",
    pictureRemoved: "The picture was removed.",
    problems: {
      large: "This file has more than 20 MB. Choose a smaller one.",
      unreadable:
        "This browser cannot read a picture from this file. Choose a photo or drawing: JPEG, PNG or WebP.",
      closed:
        "This browser lets no page read pictures back, so yours cannot be made small here. In Tor Browser: press the picture sign beside the address, allow canvas data, and choose the picture again. Or choose a JPEG that is small already: at most 8 kB, and 256 by 256 pixels.",
    },
    zone: "Time zone",
    zoneLead: "Times and days are shown in this zone on all your devices.",
    zoneLabel: "Times are shown in",
    zoneHint:
      "Tor Browser tells every page the same zone, wherever you are. Choose yours here to see your own time.",
    zoneOfBrowser: (name: string) => `The browser’s (${name})`,
    tellZone: "Show my time zone to people I have accepted",
    tellZoneHint: "They then see what time it is for you, and so roughly where you are.",
    tellZoneFirst: "Choose a zone above first, so that all your devices say the same.",
    forThem: (time: string) => `${time} for them`,
  },
};
