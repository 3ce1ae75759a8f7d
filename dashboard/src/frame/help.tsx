/** The keys, and how each figure is made: the same words that the tooltips show. */
import { useEffect, useRef } from 'preact/hooks';
import { FORMULAS } from '../text/formulas.ts';
import { KIND_NAMES, KIND_WORDS, KINDS, kindClass } from '../text/kinds.ts';
import { Icon } from '../parts/icon.tsx';
import { KEYS } from './keys.ts';

export function Help({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class="help"
      aria-labelledby="help-title"
      onClose={close}
      onClick={(event) => event.target === dialog.current && close()}
    >
      <div class="help-body">
        <div class="head">
          <h2 class="title" id="help-title">
            Keys and figures
          </h2>
          <span class="tools">
            <button type="button" class="button" onClick={close} aria-label="Close">
              <Icon name="close" />
            </button>
          </span>
        </div>
        <div class="help-columns">
          <dl class="keys">
            {KEYS.map(([keys, meaning]) => (
              <div key={keys}>
                <dt>
                  {keys.split(' ').map((key) => (
                    <kbd key={key}>{key}</kbd>
                  ))}
                </dt>
                <dd>{meaning}</dd>
              </div>
            ))}
          </dl>
          <div>
            <h3>How figures are made</h3>
            <ul class="formulas">
              {[...new Set(Object.values(FORMULAS))].map((text) => (
                <li key={text}>{text}</li>
              ))}
            </ul>
            <h3>Kinds of time</h3>
            <ul class="formulas">
              {KINDS.map((kind) => (
                <li key={kind}>
                  <i class={`swatch ${kindClass(kind)}`} /> <b>{KIND_NAMES[kind]}</b>: {KIND_WORDS[kind]}.
                </li>
              ))}
            </ul>
          </div>
        </div>
      </div>
    </dialog>
  );
}
