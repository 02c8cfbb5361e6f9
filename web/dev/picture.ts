/** A picture to be attached: a morning at the jetty, drawn. */
const DRAWING = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 420">
<defs><linearGradient id="a" x2="0" y2="1"><stop stop-color="#f6c69b"/><stop offset=".6" stop-color="#f3e3c7"/></linearGradient>
<linearGradient id="b" x2="0" y2="1"><stop stop-color="#6fa9b3"/><stop offset="1" stop-color="#1f5a68"/></linearGradient></defs>
<rect width="640" height="420" fill="url(#a)"/><circle cx="450" cy="190" r="42" fill="#ffe6a8"/>
<path d="M0 210q110-50 240-22t400 12v40H0z" fill="#7d8f8a"/><rect y="222" width="640" height="198" fill="url(#b)"/>
<path d="M60 420l140-150h24L150 420z" fill="#5b4632"/><path d="M206 268v-40m-40 84v-44m-44 92v-50" stroke="#4a3828" stroke-width="7"/>
<path d="M360 300q70 22 140 0l-18 34H384z" fill="#a34a3b"/><path d="M430 296V190l58 92z" fill="#fffaf0"/></svg>`;

/** Its address. */
export function picture(): string {
  return `data:image/svg+xml,${encodeURIComponent(DRAWING)}`;
}
