#include "jobmanager/rest/serialized_throwable.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"

namespace weir::rest {
namespace {

TEST(SerializedThrowable, HasTheBytesThatFlinksClientReads) {
  EXPECT_EQ(absl::BytesToHexString(serialized_throwable("oh")),
            "aced0005737200296f72672e6170616368652e666c696e6b2e7574696c2e53657269616c697a6564"
            "5468726f7761626c6565169df51fa713f30200024c001966756c6c537472696e6769666965645374"
            "61636b54726163657400124c6a6176612f6c616e672f537472696e673b4c00166f726967696e616c"
            "4572726f72436c6173734e616d657400124c6a6176612f6c616e672f537472696e673b787200136a"
            "6176612e6c616e672e457863657074696f6ed0fd1f3e1a3b1cc4020000787200136a6176612e6c61"
            "6e672e5468726f7761626c65d5c635273977b8cb0300014c000d64657461696c4d65737361676574"
            "00124c6a6176612f6c616e672f537472696e673b78707400026f68787400026f687400246f72672e"
            "6170616368652e666c696e6b2e7574696c2e466c696e6b457863657074696f6e");
}

TEST(SerializedThrowable, ReplacesWhatJavasUtf8DoesNotHave) {
  const std::string bytes = serialized_throwable("\xc3\xa9\xf0\x9f\x98\x80!");
  EXPECT_NE(bytes.find("\xc3\xa9?!"), std::string::npos);
}

TEST(SerializedThrowable, CutsAMessageThatIsTooLong) {
  const std::string bytes = serialized_throwable(std::string(100000, 'x'));
  EXPECT_LT(bytes.size(), 121000);
}

}  // namespace
}  // namespace weir::rest
