// The notebook's widget. With frames, the slider's value alone travels, and needs no kernel;
// without, one message a tick brings all rows.
async function render({ model, el }) {
  const columns = model.get('columns'), ends = model.get('ends'), [low, step] = model.get('grid');
  const frames = ends.length ? floats(model.get('frames')) : null;
  let revision = 0;
  const at = () =>
    Math.min(Math.max(Math.round((model.get('value') - low) / step), 0), ends.length - 1);
  const story = () => {
    const [headline, words] = frames
      ? model.get('lines')[at()]
      : [model.get('headline'), model.get('alt')];
    const rows = frames
      ? frame(frames, ends, columns, at())
      : unpack(floats(model.get('buffer')), columns);
    return { rows, headline, words, revision: frames ? revision++ : model.get('revision') };
  };
  const first = story();
  const chart = await persistentChart(
    el, structuredClone(model.get('spec')), model.get('renderer'), first);
  const apply = () => chart.show(story());
  chart.host.addEventListener('sdl-pick', event => {
    model.set('picked', { ...event.detail, at: Date.now() });  // the same mark twice is news
    model.save_changes();
  });
  // ipywidgets gives slider handles no name; a screen reader should say which one it holds
  // (they are drawn after this chart, so look again for a few seconds)
  const nameSliders = tries => {
    const sliders = el.closest('.widget-vbox')?.querySelectorAll('.widget-slider') ?? [];
    sliders.forEach(slider =>
      slider.querySelector('.noUi-handle')?.setAttribute(
        'aria-label', slider.querySelector('.widget-label')?.textContent ?? ''));
    if (tries > 0) setTimeout(() => nameSliders(tries - 1), 250);
  };
  nameSliders(12);
  const event = frames ? 'change:value' : 'change:revision';
  const mark = () => ['busy', 'stale'].forEach(state =>
    el.classList.toggle(`sdl-${state}`, model.get(state)));
  const gone = () => chart.say({
    headline: 'The kernel has stopped',
    words: 'run the cells again to bring this picture back to life.' });
  model.on(event, apply);
  mark();
  model.on('change:busy change:stale', mark);
  if (!frames) model.on('comm_live_update', gone);
  if (story().revision !== first.revision) apply();  // moved while Vega was starting
  return () => {
    model.off(event, apply);
    model.off('change:busy change:stale', mark);
    model.off('comm_live_update', gone);
    chart.finalize();
  };
}
export default { render };
