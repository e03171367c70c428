// The static site: an explorer comes to life when it comes into view. Its script in frames/ brings
// the stories of all states of its controls; vega.js draws them. Nothing else is asked for. Without
// JavaScript, or should anything fail here, the picture and its words stay.
const load = source => new Promise((done, failed) => {
  const script = Object.assign(document.createElement('script'), { src: source });
  script.onload = () => done(script);
  script.onerror = () => failed(new Error(`cannot load ${source}`));
  document.head.append(script);
});
let vega = null;
const withVega = () => (vega ??= load('vega.js'));
// what a script in frames/ calls; classic scripts alone are loaded from file://
globalThis.sdlFrames = (about, packed) => { document.currentScript.record = { about, packed }; };

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
// Float32 without its last byte, as differences to the frame before: widgets/frames.py packs them
function undo(bytes, width, ends) {
  const size = width * ends.at(-1), bits = new Uint32Array(size);
  const [high, middle, low] = [0, 1, 2].map(i => bytes.subarray(i * size, (i + 1) * size));
  let start = 0, before = 0, rows = 0;
  ends.forEach((end, f) => {
    const n = end - (f ? ends[f - 1] : 0);
    for (let column = 0; column < width; column++) {
      for (let row = 0; row < n; row++) {
        const i = start + column * n + row;
        const base = row < rows ? bits[before + column * rows + row] >>> 8 : 0;
        bits[i] = base + (high[i] << 16 | middle[i] << 8 | low[i]) << 8;
      }
    }
    [before, rows, start] = [start, n, start + n * width];
  });
  return new Float32Array(bits.buffer);
}
async function recorded(source) {
  const { about, packed } = (await load(source)).record, bytes = await inflate(packed);
  const told = 4 + new DataView(bytes.buffer).getUint32(0, true);
  const lines = JSON.parse(new TextDecoder().decode(bytes.subarray(4, told)));
  return { ...about, lines, frames: undo(bytes.subarray(told), about.columns.length, about.ends) };
}

// The state in the address: #pair:rho=-0.6,m_2=1. What is no legal value goes to the nearest one.
function nearest(dial, text, start) {
  const exact = dial.values.indexOf(text);
  if (exact >= 0 || text === undefined) return exact >= 0 ? exact : start;
  const number = text.trim() ? Number(text) : NaN;
  if (dial.choice || Number.isNaN(number)) return start;
  const values = dial.values.map(Number);
  const within = Math.min(Math.max(number, values[0]), values.at(-1));
  const far = values.map(value => Math.abs(value - within));
  return far.indexOf(Math.min(...far));
}
function asked() {
  let text = location.hash.slice(1);
  if (!text.includes('=')) {
    try { text = decodeURIComponent(text); } catch { return null; }
  }
  const [, name, rest] = /^([\w-]+):(.*)$/s.exec(text) ?? [];
  return name ? { name, values: new Map(rest.split(',').map(part => {
    const [key, ...value] = part.split('=');
    return [key.trim(), value.join('=')];
  })) } : null;
}
let turn = null;
function remember(address) {  // browsers allow about six changes a second
  clearTimeout(turn);
  turn = setTimeout(() => {
    try { history.replaceState(null, '', address); } catch (error) { console.warn(error); }
  }, 250);
}
async function copy(text, button) {
  const words = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'copied';
  } catch {
    button.textContent = 'not copied: select it by hand';
  }
  setTimeout(() => { button.textContent = words; }, 2000);
}

const add = (parent, tag, properties) =>
  parent.appendChild(Object.assign(document.createElement(tag), properties));

// one control: a select for choices, else a handle that moves over the places of its values
function control(row, dial, id, moved) {
  const place = add(row, 'div', { className: 'sdl-dial' });
  add(place, 'label', { htmlFor: id, textContent: dial.label });
  if (dial.choice) {
    const select = add(place, 'select', { id });
    dial.values.forEach((value, i) =>
      add(select, 'option', { value: i, textContent: decodeURIComponent(value) }));
    select.addEventListener('input', () => moved(select.selectedIndex));
    return i => { select.selectedIndex = i; };
  }
  const slider = add(place, 'input', {
    id, type: 'range', min: 0, max: dial.values.length - 1, step: 1 });
  const output = add(place, 'output', { htmlFor: id });
  slider.addEventListener('input', () => moved(slider.valueAsNumber));
  return i => {
    slider.value = i;
    output.textContent = Number(dial.values[i]).toFixed(dial.digits);
    slider.setAttribute('aria-valuetext', output.textContent);
  };
}

// a button that walks one control from its start, or from where it is, to its end; and stops
function playing(button, go, { dials, plays }, where) {
  let timer = null;
  const last = dials[plays].values.length - 1;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = 'Play';
  };
  const step = () => {
    if (where()[plays] === last) return stop();
    go(where().with(plays, where()[plays] + 1));
  };
  button.onclick = () => {
    if (timer !== null) return stop();
    button.textContent = 'Pause';
    if (where()[plays] === last) go(where().with(plays, 0));
    timer = setInterval(step, 150);
  };
}

async function enliven(figure) {
  const name = figure.dataset.explorer;
  const [data] = await Promise.all([recorded(figure.dataset.frames), withVega()]);
  const { dials } = data, stage = document.createElement('div');
  let at = [...data.start], revision = 0;
  const wanted = target => dials.map((dial, d) =>
    nearest(dial, target.values.get(dial.name), data.start[d]));
  const first = asked();
  if (first?.name === name) at = wanted(first);
  const number = () => at.reduce((i, place, d) => i * dials[d].values.length + place, 0);
  const story = () => {
    const i = number(), [headline, words] = data.lines[i];
    return {
      rows: frame(data.frames, data.ends, data.columns, i), headline, words,
      revision: revision++ };
  };
  const address = () =>
    `#${name}:${dials.map((dial, d) => `${dial.name}=${dial.values[at[d]]}`).join()}`;
  const row = () => add(stage, 'div', { className: 'sdl-controls' });
  const controls = row(), presets = row();
  const shown = dials.map((dial, d) =>
    control(controls, dial, `${name}-${dial.name}`, i => go(at.with(d, i))));
  const chart = await persistentChart(stage, data.spec, 'svg', story());
  const fold = add(stage, 'details', { className: 'sdl-code' });
  add(fold, 'summary', { textContent: 'copy as code' });
  const code = add(add(fold, 'pre', {}), 'code', {});
  if (data.note) add(stage, 'p', { className: 'sdl-note', textContent: data.note });
  const show = () => {
    shown.forEach((set, d) => set(at[d]));
    code.textContent = data.lines[number()][2];
  };
  const go = places => {
    at = places;
    show();
    chart.show(story());
    remember(address());
  };
  stage.addEventListener('sdl-pick', ({ detail: { name: of, value } }) => {
    const d = dials.findIndex(dial => dial.name === of);
    const text = dials[d]?.choice ? encodeURIComponent(value) : String(value);
    if (d >= 0) go(at.with(d, nearest(dials[d], text, at[d])));
  });
  const button = (parent, textContent, onclick) =>
    add(parent, 'button', { type: 'button', textContent, onclick });
  if (data.plays !== null) playing(button(presets, 'Play', null), go, data, () => at);
  for (const [label, places] of Object.entries(data.presets))
    button(presets, label, () => go([...places]));
  const link = button(presets, 'link to this', () => {
    remember(address());
    copy(location.href.split('#')[0] + address(), link);
  });
  link.classList.add('sdl-link');
  const take = button(fold, 'copy', () => copy(code.textContent, take));
  show();
  if (first?.name === name) remember(address());  // with its values made legal
  const held = document.activeElement === figure;
  figure.replaceChildren(stage);
  figure.removeAttribute('tabindex');
  if (held) stage.querySelector('input, select').focus();
  figure.classList.add('sdl-alive');
  // for the console, and for tests
  figure.sdl = { data, chart, address, go, at: () => at, ask: target => go(wanted(target)) };
}

const figures = [...document.querySelectorAll('figure[data-frames]')];
const wake = figure => (figure.waking ??= enliven(figure).catch(console.error));
const seen = new IntersectionObserver(entries => entries.forEach(entry => {
  if (entry.isIntersecting) {
    seen.unobserve(entry.target);
    wake(entry.target);
  }
}), { rootMargin: '300px' });
figures.forEach(figure => {
  seen.observe(figure);
  figure.tabIndex = 0;  // who walks by the Tab key alone stops here, too, and wakes it
  figure.addEventListener('focus', () => wake(figure));
});
async function follow() {
  const target = asked(), figure = figures.find(one => one.dataset.explorer === target?.name);
  if (!figure) return;
  figure.scrollIntoView();
  const asleep = !figure.sdl;
  await wake(figure);
  if (!asleep) figure.sdl.ask(target);
  figure.scrollIntoView();
}
window.addEventListener('hashchange', follow);
follow();
