/* CSV in and out: RFC 4180, and what is found in the wild (other separators, old encodings, a byte-order mark). */
export class CsvError extends Error {}

/* Bytes of a file → text. UTF-8 first; what is none is read as Windows-1252. */
export function decode(buffer) {
  const bytes = new Uint8Array(buffer);
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return { text: new TextDecoder("utf-16le").decode(bytes), encoding: "UTF-16" };
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return { text: new TextDecoder("utf-16be").decode(bytes), encoding: "UTF-16" };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), encoding: "UTF-8" };
  } catch {
    return { text: new TextDecoder("windows-1252").decode(bytes), encoding: "Windows-1252" };
  }
}

/* The separator that the first line has most of, outside quotes. */
export function separatorOf(text) {
  const counts = { ",": 0, ";": 0, "\t": 0 };
  let isQuoted = false;
  for (const c of text.slice(0, 100000)) {
    if (c === '"') isQuoted = !isQuoted;
    else if (!isQuoted && (c === "\n" || c === "\r")) break;
    else if (!isQuoted && c in counts) counts[c]++;
  }
  return Object.entries(counts).sort((a, b) => b[1] - a[1])[0][0];
}

/* Text → rows of fields. Empty lines are no rows. */
export function parse(text, separator = separatorOf(text)) {
  const rows = [], n = text.length;
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0, row = [];
  while (at < n) {
    let field = "";
    if (text[at] === '"') {
      const from = rows.length + 1;
      for (at++; ;) {
        const quote = text.indexOf('"', at);
        if (quote < 0) throw new CsvError(`A quotation mark that opens in row ${from} is never closed.`);
        field += text.slice(at, quote);
        at = quote + 1;
        if (text[at] !== '"') break;
        field += '"';
        at++;
      }
    }
    const begin = at;
    while (at < n && text[at] !== separator && text[at] !== "\n" && text[at] !== "\r") at++;
    row.push(field + text.slice(begin, at));
    if (at < n && text[at] === separator) {
      at++;
      if (at === n) row.push("");
      else continue;
    }
    if (text[at] === "\r" && text[at + 1] === "\n") at++;
    at++;
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  }
  if (row.length) rows.push(row);
  return rows;
}

/* A cell that no spreadsheet takes for a formula. */
export function cell(value) {
  let text = value === null || value === undefined ? "" : String(value);
  if (/^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const format = (rows) => rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
