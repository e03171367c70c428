// Bundled by vl_convert.javascript_bundle: vegaEmbed is in scope, no imports allowed, nothing is fetched.
// One persistent Vega view; only float32 columns travel when the data changes.
async function render({ model, el }) {
  const host = document.createElement('div');
  host.className = 'sdl-live-chart';
  host.setAttribute('role', 'img');
  host.setAttribute('aria-label', model.get('alt'));
  el.appendChild(host);
  const { view, finalize } = await vegaEmbed(host, structuredClone(model.get('spec')), { actions: false, renderer: model.get('renderer') });
  const apply = () => {
    const bytes = model.get('buffer');
    if (!bytes || !bytes.byteLength) return;
    const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    const columns = model.get('columns'), n = values.length / columns.length, revision = model.get('revision');
    const rows = Array.from({ length: n }, (_, i) => Object.fromEntries(columns.map((name, k) => [name, values[k * n + i]])));
    view.change('live', view.changeset().remove(() => true).insert(rows)).runAsync().then(() => {
      host.dataset.revision = revision;
      host.setAttribute('aria-label', model.get('alt'));
    });
  };
  model.on('change:revision', apply);
  apply();
  return () => { model.off('change:revision', apply); finalize(); };
}
export default { render };
