// The static site: explorers with one slider come to life from the frames that travel in their
// figure. Bundled after core.js. Without JavaScript, or should anything fail here, the picture and
// its words stay.
async function enliven(figure, number) {
  const data = JSON.parse(figure.querySelector('script').textContent);
  const frames = floats(Uint8Array.from(atob(data.frames), letter => letter.charCodeAt(0)));
  let revision = 0;
  const story = value => {
    const i = Math.min(
        Math.max(Math.round((value - data.min) / data.step), 0), data.ends.length - 1),
      [headline, words] = data.lines[i];
    return {
      rows: frame(frames, data.ends, data.columns, i), headline, words, revision: revision++ };
  };
  const add = (parent, tag, properties) =>
    parent.appendChild(Object.assign(document.createElement(tag), properties));
  const stage = document.createElement('div'),
    row = () => add(stage, 'div', { className: 'sdl-controls' }),
    controls = row(),
    presets = row();
  const chart = await persistentChart(stage, data.spec, 'svg', story(data.value));
  const id = `slider-${number}`;
  add(controls, 'label', { htmlFor: id, textContent: data.label });
  const slider = add(controls, 'input', {
    id, type: 'range', min: data.min, max: data.max, step: data.step, value: data.value });
  const output = add(controls, 'output', { htmlFor: id });
  const move = () => {
    output.textContent = slider.valueAsNumber.toFixed(data.digits);
    chart.show(story(slider.valueAsNumber));
  };
  slider.addEventListener('input', move);
  for (const [name, value] of Object.entries(data.presets)) {
    add(presets, 'button', {
      type: 'button', textContent: name, onclick: () => { slider.value = value; move(); } });
  }
  move();
  figure.replaceChildren(stage);
  figure.classList.add('sdl-alive');
}
document.querySelectorAll('figure.sdl-explorer:has(script)').forEach((figure, number) =>
  enliven(figure, number).catch(console.error));
