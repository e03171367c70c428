// One persistent Vega view with a line of words under it: shared by the notebook's widget (live.js)
// and the static site (page.js). Bundled by vl_convert.javascript_bundle: vegaEmbed is in scope, no
// imports allowed, nothing is fetched.
function floats(bytes) {
  return new Float32Array(
    bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
function unpack(values, columns) {
  const n = values.length / columns.length;
  return Array.from({ length: n }, (_, i) =>
    Object.fromEntries(columns.map((name, k) => [name, values[k * n + i]])));
}
// frames : Float32Array of all frames, columns one after the other in each
// ends[i] : rows up to and with frame i
function frame(frames, ends, columns, i) {
  const start = i ? ends[i - 1] : 0;
  return unpack(frames.subarray(start * columns.length, ends[i] * columns.length), columns);
}
// In a cell that is narrower than this panels stand one below another, one that stands alone is slim,
// and long titles and legends take several lines: as widgets/drawing.py draws pictures.
const NARROW = 600, SLIM = 340, LETTERS = 58;
const either = (slim, wide) =>
  ({ signal: `narrow ? ${JSON.stringify(slim)} : ${JSON.stringify(wide)}` });
function lines(text, letters) {
  const found = [''];
  for (const word of text.split(' ')) {
    if (found.at(-1) && found.at(-1).length + word.length >= letters) found.push('');
    found.push(`${found.pop()} ${word}`.trim());
  }
  return found;
}
function stackable(group) {
  const { layout, title, legends = [], marks = [] } = group;
  if (layout && layout.columns !== 1) layout.columns = either(1, layout.columns ?? marks.length);
  for (const [key, letters] of [['text', LETTERS * 3 / 4], ['subtitle', LETTERS]])
    if (typeof title?.[key] === 'string') title[key] = either(lines(title[key], letters), title[key]);
  for (const legend of legends) {
    const names = legend.encode?.labels?.update?.text?.signal?.match(/'[^']*'|"[^"]*"/g);
    if (names && legend.orient === 'bottom') {
      const fit = Math.floor(
        LETTERS * 3 / 4 / (Math.max(...names.map(name => name.length)) + 3));
      const wide = legend.columns ?? names.length;
      legend.columns = either(Math.min(Math.max(fit, 1), wide), wide);
    }
  }
  marks.forEach(stackable);
  return group;
}
function patched(vega, narrow) {
  const slim = one => /(^|_|child)width$/i.test(one.name) && one.value > SLIM
    ? { name: one.name, update: either(SLIM, one.value).signal } : one;
  const width = vega.width > SLIM ? [{ name: 'width', value: vega.width }] : [];
  if (width.length) delete vega.width;
  const signals = [...(vega.signals ?? []), ...width].map(slim);
  return stackable({ ...vega, signals: [{ name: 'narrow', value: narrow }, ...signals] });
}
async function persistentChart(el, spec, renderer, first) {
  const host = document.createElement('div'), line = document.createElement('p');
  host.className = 'sdl-live-chart';
  host.setAttribute('role', 'img');
  line.className = 'sdl-line';
  line.setAttribute('aria-live', 'polite');
  el.append(host, line);
  const headline = line.appendChild(document.createElement('b')),
    words = line.appendChild(document.createElement('span'));
  const say = story => {
    headline.textContent = story.headline;
    words.textContent = story.headline ? ` \u2014 ${story.words}` : story.words;
    host.setAttribute('aria-label', story.words);
  };
  say(first);
  const narrow = () => el.clientWidth > 0 && el.clientWidth < NARROW;
  // the first rows travel inside the spec, so that axes and legends find their room at once
  const { view, finalize } = await vegaEmbed(
    host,
    { ...spec, datasets: { ...spec.datasets, live: first.rows } },
    { actions: false, renderer, patch: vega => patched(vega, narrow()) });
  const fill = () => {  // the cell, but no more than words half as large again
    const svg = host.querySelector('svg');
    if (svg) svg.style.maxWidth = `${1.5 * svg.getAttribute('width')}px`;
  };
  const turned = new ResizeObserver(async () => {
    if (view.signal('narrow') !== narrow())
      await view.signal('narrow', narrow()).resize().runAsync();
    fill();
  });
  turned.observe(el);
  // a click on a mark whose row has a `pick` moves the control that the chart names for it
  view.addEventListener('click', (_, item) => item?.datum?.pick && host.dispatchEvent(
    new CustomEvent('sdl-pick', {
      bubbles: true, detail: { name: spec.usermeta.pick, value: item.datum.pick } })));
  host.dataset.revision = first.revision;
  let next = null, painting = false;
  // stories that come faster than the view paints are skipped, the last is not
  const show = async story => {
    next = story;
    if (painting) return;
    painting = true;
    host.setAttribute('aria-busy', 'true');
    while (next) {
      const now = next;
      next = null;
      view.change('live', view.changeset().remove(() => true).insert(now.rows));
      await view.runAsync();
      say(now);
      host.dataset.revision = now.revision;
    }
    painting = false;
    host.removeAttribute('aria-busy');
  };
  return { show, say, host, view, finalize: () => (turned.disconnect(), finalize()) };
}
