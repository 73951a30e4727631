// Signs and verifies with sigstore-js, the library, from trust files:
//
//   node main.js sign   SIGNING_CONFIG TOKEN FILE BUNDLE
//   node main.js attest SIGNING_CONFIG TOKEN STATEMENT BUNDLE
//   node main.js verify TRUSTED_ROOT IDENTITY ISSUER FILE BUNDLE
//
// It ends with 1 and the library's own words where that refuses.
'use strict';

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const { bundleFromJSON, bundleToJSON } = require('@sigstore/bundle');
const { SigningConfig, TrustedRoot } = require('@sigstore/protobuf-specs');
const { bundleBuilderFromSigningConfig } = require('@sigstore/sign');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');

const json = (path) => JSON.parse(fs.readFileSync(path, 'utf8'));

async function sign(bundleType, signingConfig, token, file, output) {
  const builder = bundleBuilderFromSigningConfig({
    signingConfig: SigningConfig.fromJSON(json(signingConfig)),
    identityProvider: { getToken: async () => token },
    bundleType,
    // A machine that runs many tests at once may take longer than its five seconds.
    fetchOptions: { timeout: 60000, retry: { retries: 2 } },
  });
  const type = bundleType === 'dsseEnvelope' ? 'application/vnd.in-toto+json' : undefined;
  const bundle = await builder.create({ data: fs.readFileSync(file), type });
  fs.writeFileSync(output, JSON.stringify(bundleToJSON(bundle)));
}

async function verify(trustedRoot, identity, issuer, file, input) {
  const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(json(trustedRoot))));
  const bundle = bundleFromJSON(json(input));
  const artifact = fs.readFileSync(file);
  const policy = { subjectAlternativeName: identity, extensions: { issuer } };
  verifier.verify(toSignedEntity(bundle, artifact), policy);
  if (bundle.content.$case === 'dsseEnvelope') {
    // What a statement is about, the library leaves to its callers.
    const digest = createHash('sha256').update(artifact).digest('hex');
    const { subject } = JSON.parse(bundle.content.dsseEnvelope.payload);
    if (!subject.some((one) => one.digest.sha256 === digest)) {
      throw new Error('the statement is about something else');
    }
  }
}

const verbs = {
  sign: sign.bind(null, 'messageSignature'),
  attest: sign.bind(null, 'dsseEnvelope'),
  verify,
};
const [verb, ...words] = process.argv.slice(2);
verbs[verb](...words).catch((error) => {
  for (let cause = error; cause; cause = cause.cause) {
    console.error([cause.code, cause.message].filter(Boolean).join(': '));
  }
  process.exitCode = 1;
});
