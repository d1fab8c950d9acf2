// JSON schemas as the words of a table.

/**
 * Return the fields of a schema.
 *
 * @param {object} schema - perhaps a reference.
 * @param {object} parts - what references name.
 * @returns {{name: string, type: string, meaning: string, isRequired: boolean}[]} those that must
 *   be there first.
 */
export function fieldsOf(schema, parts) {
  const found = resolved(schema, parts);
  const required = new Set(found.required ?? []);
  const fields = Object.entries(found.properties ?? {}).map(([name, one]) => ({
    name, type: typeOf(one, parts), meaning: one.description ?? "",
    isRequired: required.has(name),
  }));
  return fields.sort((a, b) => Number(b.isRequired) - Number(a.isRequired));
}

function resolved(schema, parts) {
  return schema.$ref ? (parts[schema.$ref.split("/").at(-1)] ?? {}) : schema;
}

/** Return a type in a few words: "number 0 to 1", "text or list of text". */
function typeOf(schema, parts, depth = 0) {
  if (schema.anyOf) return several(schema.anyOf, parts, depth);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  const found = resolved(schema, parts);
  if (found !== schema && depth > 1) return schema.$ref.split("/").at(-1);
  if (found.enum || found.anyOf) return typeOf(found, parts, depth + 1);
  const type = found.type ?? "any";
  if (type === "array") return `[${typeOf(found.items ?? {}, parts, depth + 1)}, …]`;
  if (type === "object" && found.properties) return `{${Object.keys(found.properties).join(", ")}}`;
  return type + range(found);
}

function several(kinds, parts, depth) {
  const given = kinds.filter((one) => one.type !== "null");
  const all = given.map((one) => typeOf(one, parts, depth + 1));
  return [...new Set(all)].join(" | ");
}

function range({ minimum, maximum }) {
  if (minimum === undefined && maximum === undefined) return "";
  return ` ${minimum ?? ""}…${maximum ?? ""}`;
}
