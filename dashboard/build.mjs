// Builds the pages: hashed bundles, one HTML shell a page and manifest.json, into ../apm_agent/web/static/.
import { build, context, transform } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = resolve(HERE, '../apm_agent/web/static');
const WATCH = process.argv.includes('--watch');

const OPTIONS = {
  absWorkingDir: HERE,
  entryPoints: [
    { in: 'src/app.tsx', out: 'app' },
    { in: 'src/theme.ts', out: 'theme' },
    { in: 'src/badge.ts', out: 'badge' },
    { in: 'src/style/app.css', out: 'style' },
  ],
  outdir: OUT,
  bundle: true,
  splitting: true,
  format: 'esm',
  target: ['chrome105', 'firefox115', 'safari16.4'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  loader: { '.woff2': 'file' },
  entryNames: '[name]-[hash]',
  chunkNames: 'chunk-[hash]',
  assetNames: '[name]-[hash]',
  minify: !WATCH,
  sourcemap: WATCH ? 'inline' : false,
  legalComments: 'none',
  metafile: true,
  write: false,
  logLevel: 'warning',
  plugins: [{ name: 'shells', setup: (b) => b.onEnd((result) => (result.errors.length ? undefined : publish(result))) }],
};

/** One script with every page that can be saved as a file; it is put into that file, so nothing in it is split. */
async function savedScript() {
  const { outputFiles } = await build({
    ...OPTIONS,
    entryPoints: [{ in: 'src/saved/saved.tsx', out: 'saved' }],
    splitting: false,
    format: 'iife',
    metafile: false,
    plugins: [
      {
        name: 'saved-pages',
        // the table of all pages would bring all pages
        setup: (b) => b.onResolve({ filter: /(^|\/)pages\.ts$/ }, () => ({ path: join(HERE, 'src/saved/pages.ts') })),
      },
    ],
  });
  return outputFiles.find(({ path }) => path.endsWith('.js'));
}

/** The PAGES table, read from the source that the browser reads too. */
async function readPages() {
  const { code } = await transform(await readFile(join(HERE, 'src/pages.ts'), 'utf8'), { loader: 'ts' });
  const module = await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
  return module.PAGES;
}

/** Writes what is new, then removes what is old: at no moment does a page name a file that is missing. */
async function publish({ metafile, outputFiles }) {
  await mkdir(OUT, { recursive: true });
  const files = new Map(outputFiles.map((file) => [basename(file.path), file.contents]));
  const icon = await readFile(join(HERE, 'src/icon.svg'));
  const iconName = `icon-${createHash('sha256').update(icon).digest('hex').slice(0, 8).toUpperCase()}.svg`;
  files.set(iconName, icon);

  const outputs = Object.entries(metafile.outputs).map(([path, output]) => ({ ...output, name: basename(path), path }));
  const byEntry = (source) => outputs.find((output) => output.entryPoint === source);
  // Pages of the application name it, and know of no build.
  const badge = byEntry('src/badge.ts').name;
  files.set('badge.js', files.get(badge));
  files.delete(badge);
  const page = { style: byEntry('src/style/app.css').name, theme: byEntry('src/theme.ts').name, app: byEntry('src/app.tsx') };
  const fonts = outputs.filter((output) => /^inter-.*\.woff2$/.test(output.name)).map((output) => output.name);

  const pages = {};
  for (const { id, title, source } of await readPages()) {
    const modules = chunksOf(outputs, [page.app, byEntry(`src/pages/${source}`)]);
    pages[id] = { title, file: `${id}.html`, modules };
    files.set(`${id}.html`, shell({ id, title, icon: iconName, fonts, modules, ...page }));
  }
  files.set('licenses.txt', await licenses(metafile));
  const script = await savedScript();
  files.set(basename(script.path), script.contents);
  const manifest = {
    saved: { script: basename(script.path), theme: page.theme, style: page.style, icon: iconName },
    pages,
    icon: iconName,
    sources: process.env.APM_AGENT_DASHBOARD_SOURCES || null,
    files: [...files.keys()].sort(),
  };
  files.set('manifest.json', `${JSON.stringify(manifest, null, 2)}\n`);

  for (const [name, contents] of files) await writeFile(join(OUT, name), contents);
  for (const name of await readdir(OUT)) if (!files.has(name)) await rm(join(OUT, name), { recursive: true });
  if (!WATCH) console.log(`${files.size} files in ${relative(process.cwd(), OUT)}`);
}

/** The licences of what the bundles are made of: they ask to go along wherever a copy goes, and a wheel is a copy. */
async function licenses({ inputs }) {
  const names = Object.keys(inputs).map((path) => /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  const texts = [...new Set(names.filter(Boolean))].sort().map(async (name) => {
    const folder = join(HERE, 'node_modules', name);
    const { version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    const text = await readFile(join(folder, 'LICENSE'), 'utf8');
    return `${name} ${version}, ${license}\n\n${text.replaceAll('\r', '').trim()}\n`;
  });
  return `What the pages carry beside our own code.\n\n\n${(await Promise.all(texts)).join(`\n\n${'-'.repeat(80)}\n\n`)}`;
}

/** A page's module and everything it imports, so that the browser asks for all of it at once. */
function chunksOf(outputs, roots) {
  const found = new Set();
  const add = (output) => {
    if (found.has(output.name)) return;
    found.add(output.name);
    for (const { path, kind } of output.imports) {
      if (kind === 'import-statement') add(outputs.find((other) => other.path === path));
    }
  };
  roots.forEach(add);
  return [...found];
}

function shell({ id, title, icon, fonts, modules, style, theme, app }) {
  const preload = modules.filter((name) => name !== app.name);
  return `<!doctype html>
<html lang="en" data-page="${id}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · apm-agent</title>
<link rel="icon" href="static/${icon}" type="image/svg+xml">
${fonts.map((name) => `<link rel="preload" href="static/${name}" as="font" type="font/woff2" crossorigin>`).join('\n')}
<script src="static/${theme}"></script>
<link rel="stylesheet" href="static/${style}">
${preload.map((name) => `<link rel="modulepreload" href="static/${name}">`).join('\n')}
<script type="module" src="static/${app.name}"></script>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<div id="app"></div>
<noscript><p class="noscript">These pages need JavaScript. The same data is JSON below <code>api/v1/</code>.</p></noscript>
</body>
</html>
`;
}

if (WATCH) {
  await (await context(OPTIONS)).watch();
  console.log(`watching src/, writing ${relative(process.cwd(), OUT)}`);
} else {
  await build(OPTIONS);
}
