// Probabilities as names with bars.
import { element } from "./elements.js";
import { percent } from "./words.js";

/** Return a thin bar that shows a share of 1. */
export function bar(share, kind = "") {
  const width = `${(100 * Math.min(Math.max(share, 0), 1)).toFixed(2)}%`;
  const fill = element("span", { style: { width } });
  return element(`span.bar${kind && `.${kind}`}`, { "aria-hidden": "true" }, fill);
}

/**
 * Return a list of names with bars.
 *
 * @param {{name: string, share: number, isStrong?: boolean}[]} rows - likeliest first.
 * @param {string} kind - class of the list: "quiet" for what stands beside.
 */
export function barList(rows, kind = "") {
  const items = rows.map(({ name, share, isStrong }) =>
    element(
      `li${isStrong ? ".strong" : ""}`, {},
      element("bdi.name", {}, name), bar(share), element("span.share", {}, percent(share)),
    ),
  );
  return element(`ol.bars${kind && `.${kind}`}`, {}, ...items);
}
