/** "Copy": a call as a command or as a test, shown as it is copied, with what it leaves open. */
import { useState } from 'preact/hooks';
import { saved } from '../state/saved.ts';
import * as f from '../text/format.ts';
import { announce, copyText } from './copy.ts';
import { type Call, type Limit, asksAgain, curl, missing, pytest } from './copy-texts.ts';
import { Menu } from './export.tsx';

/** The application answers where a dashboard inside it does; of one that stands alone nobody knows. */
export function baseOf(): string {
  const { pathname, origin } = new URL('.', document.baseURI);
  return pathname.length > 1 && !saved ? origin : 'http://localhost:8000';
}

export function CopyMenu({ call, limit }: { call: Call; limit: Limit }) {
  const [shown, show] = useState<{ what: string; text: string } | null>(null);
  if (!asksAgain(call)) return null;
  const copy = async (what: string, text: string) => {
    await copyText(text);
    show({ what, text });
    announce(`Copied as ${what}`);
  };
  return (
    <Menu title="Copy" icon="copy" hotkey="c" wide>
      <button type="button" onClick={() => copy('curl', curl(call))}>
        as curl
        <small>the call as a command</small>
      </button>
      <button type="button" onClick={() => copy('a test', pytest(call, limit))}>
        as a test
        <small>a pytest that asks it and holds its p95 to a limit</small>
      </button>
      <ul class="notes">
        {missing(call).map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
      {shown && (
        <pre role="group" tabIndex={0} aria-label={`Copied as ${shown.what}`}>
          {f.tame(shown.text, 3000)}
        </pre>
      )}
    </Menu>
  );
}
