// Times as "2 minutes ago", kept true while the page is open.

const UNITS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function words(moment) {
  const seconds = (moment - Date.now()) / 1000;
  // Clocks differ a little, and nobody needs to see seconds fly.
  if (Math.abs(seconds) < 10) return "just now";
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size);
  return relative.format(Math.round(seconds / length), unit);
}

export function tellTimes(root = document) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    const text = words(moment);
    if (element.textContent !== text) element.textContent = text;
    element.title = moment.toLocaleString();
  }
}
