// Relative times: "3 minutes ago", in the page's language, recomputed while the page is open.
const STEPS = [
  [86_400, "day"],
  [3_600, "hour"],
  [60, "minute"],
  [1, "second"],
];

/** The words for an instant that lies `seconds` in the past (negative: in the future). */
export function relative(seconds, language) {
  const format = new Intl.RelativeTimeFormat(language, { numeric: "always" });
  const distance = Math.abs(seconds);
  for (const [size, unit] of STEPS) {
    if (distance >= size) {
      const count = Math.floor(distance / size);
      return format.format(seconds >= 0 ? -count : count, unit);
    }
  }
  return format.format(-0, "second");
}

/** Rewrite every <time data-ago> below root whose words have aged. */
export function refreshTimes(root, language, now) {
  for (const time of root.querySelectorAll("time[data-ago]")) {
    const seconds = (now - Date.parse(time.dateTime)) / 1000;
    if (Number.isNaN(seconds) || Math.abs(seconds) < 10) continue;
    const words = relative(seconds, language);
    if (time.textContent !== words) time.textContent = words;
  }
}

/** 65 -> "1:05", 3700 -> "1:01:40": elapsed time that ticks. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const [hours, minutes, rest] = parts;
  const two = (n) => String(n).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
