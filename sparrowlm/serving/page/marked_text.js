// Texts with coloured parts. The server counts places in characters, JavaScript in halves of some.
import { element } from "./elements.js";

/**
 * Return the pieces of a text: those that are marked, and what lies between them.
 *
 * @param {string} text
 * @param {{start: number, end: number}[]} marks - places in Unicode characters; where two overlap
 *   the first in the list is taken.
 * @param {(mark: object, piece: string) => Node} show
 */
export function markedText(text, marks, show) {
  const signs = [...text];
  const taken = [];
  for (const mark of marks) {
    const isFree = taken.every((other) => mark.end <= other.start || other.end <= mark.start);
    if (isFree && mark.start < mark.end && mark.end <= signs.length) taken.push(mark);
  }
  taken.sort((a, b) => a.start - b.start);
  const parts = [];
  let place = 0;
  for (const mark of taken) {
    parts.push(signs.slice(place, mark.start).join(""));
    parts.push(show(mark, signs.slice(mark.start, mark.end).join("")));
    place = mark.end;
  }
  parts.push(signs.slice(place).join(""));
  return element("p.marked", { dir: "auto" }, ...parts);
}
