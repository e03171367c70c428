// Questions that answer. `quiz` brings a form of forms.py to life; page and notebook share it. What was
// chosen is kept in the browser's localStorage if that is there, else until the page is left.
function memory(key) {
  let kept = {};
  try {
    const stored = JSON.parse(localStorage.getItem(key));
    if (stored && typeof stored === 'object') kept = stored;
  } catch { /* no storage, or not ours: begin with nothing */ }
  const write = () => {
    try {
      if (Object.keys(kept).length) localStorage.setItem(key, JSON.stringify(kept));
      else localStorage.removeItem(key);
    } catch { /* it is then forgotten with the page */ }
  };
  return {
    get: id => kept[id],
    set: (id, choice) => { kept[id] = choice; write(); },
    clear: () => { kept = {}; write(); } };
}
function quiz(form) {
  const kept = memory(`sdl-quiz-${form.dataset.lesson}`);
  const add = (parent, tag, properties) =>
    parent.appendChild(Object.assign(document.createElement(tag), properties));
  const questions = [...form.querySelectorAll('fieldset')].map(field => {
    const id = field.dataset.question, radios = [...field.querySelectorAll('input')],
      answers = field.querySelector('.sdl-answers'), because = [...answers.querySelectorAll('li')];
    answers.hidden = true;
    const row = document.createElement('div');
    row.className = 'sdl-check';
    answers.before(row);
    const button = add(row, 'button', { type: 'button', textContent: 'Check' });
    // a screen reader says what is written into it
    const said = add(row, 'div', { className: 'sdl-said' });
    said.setAttribute('role', 'status');
    const show = choice => {
      const right = choice === Number(field.dataset.right);
      field.dataset.state = right ? 'right' : 'wrong';
      said.innerHTML = because[choice].innerHTML;
    };
    const forget = () => {
      delete field.dataset.state;
      said.textContent = '';
    };
    button.onclick = () => {
      const choice = radios.findIndex(radio => radio.checked);
      if (choice < 0) {
        said.textContent = 'Choose one of the answers first.';
        return;
      }
      kept.set(id, choice);
      show(choice);
      count();
    };
    // another choice is not judged before it is checked
    radios.forEach(radio => { radio.onchange = forget; });
    const choice = kept.get(id);
    if (Number.isInteger(choice) && choice in radios) {
      radios[choice].checked = true;
      show(choice);
    }
    return { field, radios, forget };
  });
  const foot = add(form, 'p', { className: 'sdl-score' }), score = add(foot, 'span', {});
  score.setAttribute('role', 'status');
  const over = add(foot, 'button', { type: 'button', textContent: 'Start over' });
  const count = () => {
    const right = questions.filter(({ field }) => field.dataset.state === 'right').length;
    score.textContent = `${right} of ${questions.length} answered right.`;
    over.hidden = questions.every(({ field }) => !field.dataset.state);
  };
  over.onclick = () => {
    kept.clear();
    questions.forEach(({ radios, forget }) => {
      radios.forEach(radio => { radio.checked = false; });
      forget();
    });
    count();
    questions[0].radios[0].focus();
  };
  form.onsubmit = event => event.preventDefault();
  // JupyterLab leaves the keys to what has the focus here, arrows too
  form.querySelectorAll('input, button').forEach(one =>
    one.setAttribute('data-lm-suppress-shortcuts', 'true'));
  form.classList.add('sdl-alive');
  count();
}
// the index marks lessons of which all is answered in this browser, also when one comes back to it
function marks() {
  document.querySelectorAll('.lessons li[data-questions]').forEach(line => {
    const kept = memory(`sdl-quiz-${line.dataset.lesson}`), asked = line.dataset.questions.split(' ');
    line.querySelector('.sdl-done')?.remove();
    if (asked.every(id => Number.isInteger(kept.get(id))))
      line.querySelector('a').after(Object.assign(document.createElement('span'), {
        className: 'sdl-done', textContent: '\u2713 questions answered' }));
  });
}
