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
  // the first rows travel inside the spec, so that axes and legends find their room at once
  const { view, finalize } = await vegaEmbed(
    host,
    { ...spec, datasets: { ...spec.datasets, live: first.rows } },
    { actions: false, renderer });
  host.dataset.revision = first.revision;
  let next = null, painting = false;
  // stories that come faster than the view paints are skipped, the last is not
  const show = async story => {
    next = story;
    if (painting) return;
    painting = true;
    while (next) {
      const now = next;
      next = null;
      view.change('live', view.changeset().remove(() => true).insert(now.rows));
      await view.runAsync();
      say(now);
      host.dataset.revision = now.revision;
    }
    painting = false;
  };
  return { show, say, host, view, finalize };
}
