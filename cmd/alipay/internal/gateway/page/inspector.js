// Keeps the page up to date, and sends its forms without leaving it. Everything
// works without this file, too, one page load at a time.
'use strict';

const live = document.getElementById('live');
const most = 300; // requests that are shown

function element(html) {
  const template = document.createElement('template');
  template.innerHTML = html;
  return template.content;
}

// show puts HTML of the server, which has escaped it, into the page.
function show({ part, html }) {
  if (part === 'request') {
    const list = document.getElementById('requests');
    list.prepend(element(html));
    const rows = list.querySelectorAll('details.request');
    for (let n = rows.length - 1, over = rows.length - most; n >= 0 && over > 0; n--) {
      if (!rows[n].open) { // what is read stays
        rows[n].remove();
        over--;
      }
    }
    return;
  }
  const place = document.getElementById(part);
  const open = new Set([...place.querySelectorAll('details[open][id]')].map((d) => d.id));
  place.replaceChildren(element(html));
  for (const details of place.querySelectorAll('details[id]')) {
    details.open = open.has(details.id);
  }
}

function connection(on) {
  live.textContent = on ? live.dataset.live : live.dataset.lost;
  live.classList.toggle('on', on);
}

const events = new EventSource('/events');
events.onopen = () => connection(true);
events.onerror = () => connection(false); // the browser tries again by itself
events.onmessage = (e) => show(JSON.parse(e.data));

document.addEventListener('submit', async (e) => {
  const form = e.target;
  e.preventDefault();
  const body = new URLSearchParams(new FormData(form, e.submitter));
  const buttons = form.querySelectorAll('button');
  buttons.forEach((b) => { b.disabled = true; });
  try {
    await fetch(form.action, { method: 'POST', body, redirect: 'manual' });
    if (form.classList.contains('fields') && form.action.endsWith('/token')) form.reset();
  } catch {
    connection(false);
  } finally {
    buttons.forEach((b) => { b.disabled = false; });
  }
});

document.addEventListener('click', async (e) => {
  const button = e.target.closest('button.copy');
  if (!button) return;
  const text = button.nextElementSibling.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not allowed: select it instead
    getSelection().selectAllChildren(button.nextElementSibling);
    return;
  }
  const label = button.textContent;
  button.textContent = button.dataset.done;
  setTimeout(() => { button.textContent = label; }, 1500);
});
