// Bundled by vl_convert.javascript_bundle: vegaEmbed is in scope, no imports allowed, nothing is fetched.
// One persistent Vega view; only float32 columns travel when the data changes.
async function render({ model, el }) {
  const host = document.createElement('div');
  host.className = 'sdl-live-chart';
  host.setAttribute('role', 'img');
  host.setAttribute('aria-label', model.get('alt'));
  el.appendChild(host);
  const rows = () => {
    const bytes = model.get('buffer');
    const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    const columns = model.get('columns'), n = values.length / columns.length;
    return Array.from({ length: n }, (_, i) => Object.fromEntries(columns.map((name, k) => [name, values[k * n + i]])));
  };
  const painted = revision => {
    host.dataset.revision = revision;
    host.setAttribute('aria-label', model.get('alt'));
  };
  // the first rows travel inside the spec, so that axes and legends find their room at once
  const spec = structuredClone(model.get('spec'));
  spec.datasets = { ...spec.datasets, live: rows() };
  const first = model.get('revision');
  const { view, finalize } = await vegaEmbed(host, spec, { actions: false, renderer: model.get('renderer') });
  const apply = () => {
    const revision = model.get('revision');
    view.change('live', view.changeset().remove(() => true).insert(rows())).runAsync().then(() => painted(revision));
  };
  // ipywidgets gives slider handles no name; a screen reader should say which one it holds
  // (they are drawn after this chart, so look again for a few seconds)
  const nameSliders = tries => {
    const sliders = host.closest('.widget-vbox')?.querySelectorAll('.widget-slider') ?? [];
    sliders.forEach(slider => slider.querySelector('.noUi-handle')?.setAttribute('aria-label', slider.querySelector('.widget-label')?.textContent ?? ''));
    if (tries > 0) setTimeout(() => nameSliders(tries - 1), 250);
  };
  nameSliders(12);
  model.on('change:revision', apply);
  if (model.get('revision') === first) painted(first); else apply();
  return () => { model.off('change:revision', apply); finalize(); };
}
export default { render };
