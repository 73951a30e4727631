// Signs and verifies with sigstore-java.
//
//   sigstore-java sign   TRUST --token TOKEN --signing-config FILE --rekor 1|2 --bundle BUNDLE ARTIFACT
//   sigstore-java verify TRUST --identity WHO --issuer URL --bundle BUNDLE ARTIFACT
//
// TRUST is `--trusted-root FILE`, or `--mirror URL --root FILE` for a TUF repository, which then has the signing
// configuration, too. It ends with 1 and the library's own words where that refuses.

import dev.sigstore.AlgorithmRegistry.SigningAlgorithm;
import dev.sigstore.KeylessSigner;
import dev.sigstore.KeylessVerifier;
import dev.sigstore.SigningConfigProvider;
import dev.sigstore.TrustedRootProvider;
import dev.sigstore.VerificationOptions;
import dev.sigstore.VerificationOptions.CertificateMatcher;
import dev.sigstore.bundle.Bundle;
import dev.sigstore.oidc.client.OidcClients;
import dev.sigstore.oidc.client.TokenStringOidcClient;
import dev.sigstore.strings.StringMatcher;
import dev.sigstore.tuf.RootProvider;
import dev.sigstore.tuf.SigstoreTufClient;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

public final class Main {
  private final Map<String, String> options = new HashMap<>();
  private Path file;

  private Main(String[] words) {
    for (int at = 1; at < words.length; at++) {
      if (words[at].startsWith("--")) {
        options.put(words[at].substring(2), words[++at]);
      } else {
        file = Path.of(words[at]);
      }
    }
  }

  private String option(String name) {
    String value = options.get(name);
    if (value == null) {
      throw new IllegalArgumentException("--" + name + " is missing");
    }
    return value;
  }

  private SigstoreTufClient.Builder repository() throws Exception {
    return SigstoreTufClient.builder()
        .tufMirror(URI.create(option("mirror") + "/"), RootProvider.fromFile(Path.of(option("root"))))
        .tufCacheLocation(Files.createTempDirectory("sigstore-java"));
  }

  private TrustedRootProvider trustedRoot() throws Exception {
    return options.containsKey("mirror")
        ? TrustedRootProvider.from(repository())
        : TrustedRootProvider.from(Path.of(option("trusted-root")));
  }

  private SigningConfigProvider signingConfig() throws Exception {
    return options.containsKey("mirror")
        ? SigningConfigProvider.from(repository())
        : SigningConfigProvider.from(Path.of(option("signing-config")));
  }

  private void sign() throws Exception {
    var oidc = OidcClients.of(TokenStringOidcClient.from(option("token")));
    var builder =
        KeylessSigner.builder()
            .trustedRootProvider(trustedRoot())
            .signingConfigProvider(signingConfig())
            .enableRekorV2(option("rekor").equals("2"))
            .forceCredentialProviders(oidc)
            .signingAlgorithm(SigningAlgorithm.PKIX_ECDSA_P256_SHA_256)
            .minSigningCertificateLifetime(Duration.ofMinutes(1));
    try (var signer = builder.build()) {
      Files.writeString(Path.of(option("bundle")), signer.signFile(file).toJson());
    }
  }

  private void verify() throws Exception {
    var signer =
        CertificateMatcher.fulcio()
            .subjectAlternativeName(StringMatcher.string(option("identity")))
            .issuer(StringMatcher.string(option("issuer")))
            .build();
    var bundle = Bundle.from(Path.of(option("bundle")), StandardCharsets.UTF_8);
    var expected = VerificationOptions.builder().addCertificateMatchers(signer).build();
    KeylessVerifier.builder().trustedRootProvider(trustedRoot()).build().verify(file, bundle, expected);
  }

  public static void main(String[] words) throws Exception {
    String verb = words.length == 0 ? "" : words[0];
    var main = new Main(words);
    switch (verb) {
      case "sign" -> main.sign();
      case "verify" -> main.verify();
      default -> throw new IllegalArgumentException("sign or verify?");
    }
  }
}
