#include "connectors/kafka/protocol/scram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/status_matchers.h"

namespace weir::kafka::protocol {
namespace {

using ::testing::HasSubstr;

constexpr const char* kNonce = "rOprNGfwEbeRWgbNEkqO";
constexpr const char* kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr const char* kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

ScramClient make_client(ScramHash hash = ScramHash::kSha256) {
  return ScramClient(hash, "user", "pencil", kNonce);
}

TEST(ScramTest, TalksAsTheExampleOfRfc7677) {
  ScramClient client = make_client();
  EXPECT_EQ(client.first_message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  const auto proof = client.final_message(kServerFirst);
  ASSERT_THAT(proof, IsOk());
  EXPECT_EQ(*proof,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_THAT(client.verify(kServerFinal), IsOk());
}

// The RFCs have no example with this hash; computed by Python's hashlib and hmac.
TEST(ScramTest, TalksWithSha512) {
  ScramClient client = make_client(ScramHash::kSha512);
  const auto proof = client.final_message(kServerFirst);
  ASSERT_THAT(proof, IsOk());
  EXPECT_EQ(*proof,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYP"
            "JQ==");
  EXPECT_THAT(client.verify("v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5Z"
                            "xXnJq199RVG2rR7N7Zw=="),
              IsOk());
}

TEST(ScramTest, EscapesTheUsername) {
  const ScramClient client(ScramHash::kSha256, "a=b,c", "secret", "nonce");
  EXPECT_EQ(client.first_message(), "n,,n=a=3Db=2Cc,r=nonce");
}

TEST(ScramTest, RefusesAServerThatDoesNotKnowThePassword) {
  ScramClient client = make_client();
  ASSERT_THAT(client.final_message(kServerFirst), IsOk());
  for (const char* answer :
       {"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "v=", "", "v=6rri"}) {
    EXPECT_THAT(client.verify(answer), StatusIs(absl::StatusCode::kUnauthenticated)) << answer;
  }
}

TEST(ScramTest, RefusesAVerdictWithoutAChallenge) {
  EXPECT_THAT(make_client().verify("v="), StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST(ScramTest, TellsTheServersError) {
  EXPECT_THAT(make_client().verify("e=unknown-user"),
              StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("unknown-user")));
}

TEST(ScramTest, RefusesAChallengeToAnotherNonce) {
  for (const char* nonce : {"rOprNGfwEbeRWgbNEkqP%hv", kNonce}) {
    const std::string challenge = std::string("r=") + nonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    EXPECT_THAT(make_client().final_message(challenge),
                StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("another nonce")));
  }
}

TEST(ScramTest, RefusesTooLittleAndTooMuchWork) {
  for (const char* iterations : {"0", "4095", "1000001", "2147483647"}) {
    const std::string challenge =
        std::string("r=") + kNonce + "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=" + iterations;
    EXPECT_THAT(make_client().final_message(challenge),
                StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("iterations")));
  }
}

TEST(ScramTest, RefusesAChallengeThatCannotBeRead) {
  const std::string nonce = std::string("r=") + kNonce + "x,";
  for (const std::string& challenge :
       {std::string(), nonce, nonce + "s=?,i=4096", nonce + "s=,i=4096", nonce + "i=4096,s=W22Z",
        nonce + "s=W22Z,i=many", "m=extension," + nonce + "s=W22Z,i=4096"}) {
    EXPECT_THAT(make_client().final_message(challenge),
                StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("can't be read")))
        << challenge;
  }
}

TEST(ScramTest, NoncesDiffer) {
  const auto first = make_scram_nonce();
  const auto second = make_scram_nonce();
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  EXPECT_NE(*first, *second);
  EXPECT_EQ(first->find(','), std::string::npos);
}

}  // namespace
}  // namespace weir::kafka::protocol
