// The presenting view of a lesson: one section a screen, without code, explorers alive. Nothing is
// moved or copied: what belongs to other sections is hidden. On paper the page stays whole.
const HELD = 'input, select, textarea, [role="slider"], [contenteditable]';
// [{ title, chapter, id, blocks }]: a section begins at each heading and has what follows it; each
// question is a section, to be voted on
function sections(main) {
  const found = [];
  let chapter = '';
  const own = heading => [...heading.childNodes].filter(node => !node.classList?.contains('anchor-link'))
    .map(node => node.textContent).join('').trim();
  const put = block => {
    if (/^H[123]$/.test(block.tagName)) {
      if (block.tagName !== 'H3') chapter = own(block);
      found.push({ title: own(block), chapter, id: block.id, blocks: [] });
    }
    found.at(-1)?.blocks.push(block);
  };
  for (const cell of main.querySelectorAll(':scope > .cell')) {
    const prose = cell.querySelector('.text_cell_render');
    const asked = cell.querySelectorAll('.sdl-quiz fieldset');
    if (prose) [...prose.children].forEach(put);
    else if (!asked.length) put(cell);
    asked.forEach((block, i) =>
      found.push({ title: `Question ${i + 1}`, chapter, id: '', blocks: [block] }));
  }
  // a task is its code
  for (const { title, blocks } of found) {
    for (const block of blocks) {
      const code = block.querySelector('.input')?.textContent ?? '';
      block.classList.toggle('sdl-task', title === 'On your own' || /^my_/m.test(code));
    }
  }
  return found;
}
function presenting() {
  const main = document.querySelector('main'), parts = sections(main);
  if (parts.length < 2) return;
  const add = (parent, tag, properties) =>
    parent.appendChild(Object.assign(document.createElement(tag), properties));
  const notes = Object.fromEntries(
    [...document.querySelector('template.sdl-notes')?.content.children ?? []].map(
      note => [note.dataset.heading, note.innerHTML]));
  let at = -1;
  const door = document.createElement('p');
  door.className = 'sdl-present-door';
  main.prepend(door);
  const button = add(door, 'button', {
    type: 'button', textContent: 'Present', title: 'One section a screen, for a projector' });
  // the bar at the bottom, and the notes above it
  const bar = add(document.body, 'div', { className: 'sdl-present-bar', hidden: true });
  const said = add(bar, 'aside', { className: 'sdl-said-aside', hidden: true });
  said.setAttribute('aria-label', "Speaker's notes");
  const row = add(bar, 'div', {});
  const back = add(row, 'button', { type: 'button', textContent: '←', title: 'Left arrow' });
  const where = add(row, 'span', {});
  where.setAttribute('role', 'status');
  const on = add(row, 'button', { type: 'button', textContent: '→', title: 'Right arrow' });
  const tell = add(row, 'button', { type: 'button', innerHTML: 'Notes <kbd>N</kbd>' });
  const out = add(row, 'button', { type: 'button', innerHTML: 'Leave <kbd>Esc</kbd>' });
  back.setAttribute('aria-label', 'Section before');
  on.setAttribute('aria-label', 'Next section');
  const below = () => document.documentElement.scrollHeight - innerHeight - scrollY > 4;
  const more = () => bar.classList.toggle('sdl-more', below());
  const go = to => {
    at = Math.min(Math.max(to, 0), parts.length - 1);
    parts.forEach(({ blocks }, i) =>
      blocks.forEach(block => block.classList.toggle('sdl-off', i !== at)));
    const { title, chapter, id, blocks } = parts[at];
    where.textContent =
      `${at + 1} of ${parts.length}: ${chapter === title ? title : `${chapter} · ${title}`}`;
    back.disabled = at === 0;
    on.disabled = at === parts.length - 1;
    said.innerHTML = notes[id] ?? '<p>No note for this section.</p>';
    scrollTo(0, 0);
    // out of the last slider, and where a screen reader goes on
    blocks[0].tabIndex = -1;
    blocks[0].focus({ preventScroll: true });
    dispatchEvent(new Event('resize'));  // pictures that fill their room look again
    more();
  };
  const enter = () => {
    const inView = parts.findLastIndex(({ blocks }) => blocks[0].getBoundingClientRect().top < 80);
    document.body.classList.add('sdl-presenting');
    bar.hidden = false;
    go(inView);
  };
  const leave = () => {
    document.body.classList.remove('sdl-presenting');
    parts.forEach(({ blocks }) => blocks.forEach(block => block.classList.remove('sdl-off')));
    bar.hidden = true;
    button.focus({ preventScroll: true });
    parts[at].blocks[0].scrollIntoView();
    at = -1;
    dispatchEvent(new Event('resize'));
  };
  const turn = () => { said.hidden = !said.hidden; more(); };
  const screenful = way => scrollBy(0, 0.85 * way * innerHeight);
  const keys = {
    ArrowRight: () => go(at + 1),
    ArrowLeft: () => go(at - 1),
    // a clicker's keys: through a section that is longer than the screen, then on
    PageDown: () => below() ? screenful(1) : go(at + 1),
    PageUp: () => scrollY > 4 ? screenful(-1) : go(at - 1),
    Home: () => go(0),
    End: () => go(parts.length - 1),
    n: turn,
    N: turn,
    Escape: leave };
  document.addEventListener('keydown', event => {
    if (at < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    // a slider keeps its arrows; Esc lets it go
    const held = event.target.closest(HELD);
    if (held && event.key !== 'Escape') return;
    if (held) held.blur();
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  });
  document.addEventListener('click', event => {
    const link = at < 0 ? null : event.target.closest('a[href^="#"]'), name = link?.hash.slice(1);
    const target = link && (document.getElementById(name)
      ?? document.getElementById(decodeURIComponent(name)));
    const to = parts.findIndex(({ blocks }) => blocks.some(block => block.contains(target)));
    if (target && to >= 0) go(to);
  });
  addEventListener('scroll', more, { passive: true });
  addEventListener('resize', () => { if (at >= 0) more(); });
  button.onclick = enter;
  back.onclick = () => go(at - 1);
  on.onclick = () => go(at + 1);
  tell.onclick = turn;
  out.onclick = leave;
}
