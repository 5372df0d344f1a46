/* SigV4 on the examples that AWS documents ("Signature Calculations for the Authorization Header", Amazon S3 API
 * reference), and the parts of other protocols that stores read: XML, INI files, times, checksums. tests/judge compares
 * the signer with botocore's on random requests. */
#include "../test.h"
#include "store/aws.h"
#include "store/checksum.h"
#include "store/google.h"
#include "store/ini.h"
#include "store/sigv4.h"
#include "store/when.h"
#include "store/xml.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const fn_aws_keys keys = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL};

static void expect_signature(const fn_sigv4 *request, const char *signature) {
  fn_buf out;
  fn_err err = {0};
  fn_buf_init(&out, 0);
  assert_ok(fn_sigv4_authorization(&out, request, &keys, &err));
  assert_contains(out.data, "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ");
  assert_contains(out.data, signature);
  fn_buf_deinit(&out);
}

static void test_documented_get_object(void **state) {
  (void)state;
  const fn_call_pair headers[] = {{"Host", "examplebucket.s3.amazonaws.com"},
                                  {"Range", "bytes=0-9"},
                                  {"x-amz-content-sha256", EMPTY},
                                  {"x-amz-date", "20130524T000000Z"}};
  const fn_sigv4 r = {.method = "GET",
                      .path = "/test.txt",
                      .headers = headers,
                      .n_headers = 4,
                      .payload_sha256 = EMPTY,
                      .region = "us-east-1",
                      .service = "s3",
                      .time = "20130524T000000Z"};
  fn_buf out;
  fn_buf_init(&out, 0);
  fn_sigv4_canonical(&out, &r);
  assert_string_equal(out.data, "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\n"
                                "x-amz-content-sha256:" EMPTY "\nx-amz-date:20130524T000000Z\n\n"
                                "host;range;x-amz-content-sha256;x-amz-date\n" EMPTY);
  fn_buf_reset(&out);
  fn_sigv4_to_sign(&out, &r);
  assert_string_equal(out.data, "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"
                                "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972");
  fn_buf_deinit(&out);
  expect_signature(&r, "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                       "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void test_documented_put_object(void **state) {
  (void)state;
  const char *sha = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
  const fn_call_pair headers[] = {{"x-amz-date", "20130524T000000Z"},
                                  {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                                  {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                                  {"Host", "examplebucket.s3.amazonaws.com"},
                                  {"x-amz-content-sha256", sha}};
  const fn_sigv4 r = {.method = "PUT",
                      .path = "/test%24file.text",
                      .headers = headers,
                      .n_headers = 5,
                      .payload_sha256 = sha,
                      .region = "us-east-1",
                      .service = "s3",
                      .time = "20130524T000000Z"};
  expect_signature(&r, "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void test_documented_lists(void **state) {
  (void)state;
  const fn_call_pair headers[] = {
      {"Host", "examplebucket.s3.amazonaws.com"}, {"x-amz-content-sha256", EMPTY}, {"x-amz-date", "20130524T000000Z"}};
  const fn_call_pair lifecycle[] = {{"lifecycle", ""}}, list[] = {{"prefix", "J"}, {"max-keys", "2"}};
  fn_sigv4 r = {.method = "GET",
                .path = "/",
                .query = lifecycle,
                .n_query = 1,
                .headers = headers,
                .n_headers = 3,
                .payload_sha256 = EMPTY,
                .region = "us-east-1",
                .service = "s3",
                .time = "20130524T000000Z"};
  expect_signature(&r, "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  r.query = list;
  r.n_query = 2;
  expect_signature(&r, "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void test_time_and_limits(void **state) {
  (void)state;
  char text[17];
  fn_sigv4_time(text, 1369353600000);
  assert_string_equal(text, "20130524T000000Z");
  fn_call_pair many[FN_SIGV4_PAIRS + 1];
  for (size_t i = 0; i < FN_COUNT_OF(many); i++) many[i] = (fn_call_pair){"x", "y"};
  const fn_sigv4 r = {.method = "GET",
                      .path = "/",
                      .headers = many,
                      .n_headers = FN_COUNT_OF(many),
                      .payload_sha256 = EMPTY,
                      .region = "r",
                      .service = "s3",
                      .time = "20130524T000000Z"};
  fn_err err = {0};
  fn_buf out;
  fn_buf_init(&out, 0);
  assert_status(fn_sigv4_authorization(&out, &r, &keys, &err), FN_E_LIMIT);
  fn_buf_deinit(&out);
}

/* ---- XML */

static fn_status gather(void *arg, const char *path, fn_str text, fn_err *err) {
  (void)err;
  fn_buf_printf(arg, "%s=%.*s;", path, (int)text.length, text.data);
  return FN_OK;
}

static void expect_xml(const char *xml, const char *expected) {
  fn_buf out;
  fn_err err = {0};
  fn_buf_init(&out, 0);
  assert_ok(fn_xml_walk(fn_str_from(xml), "test", gather, &out, &err));
  assert_string_equal(out.data, expected);
  fn_buf_deinit(&out);
}

static void test_xml(void **state) {
  (void)state;
  expect_xml("<a/>", "a=;");
  expect_xml(
      "\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<!-- x --><a xmlns=\"u:v\"> <b c='1>'>&lt;t&amp;&#65;&#x42;\xC3\xBC</b>"
      "<n:b/><!-- <c> --></a>\n",
      "a/b=<t&AB\xC3\xBC;a/b=;a=;");
  fn_buf out;
  fn_buf_init(&out, 0);
  assert_true(fn_xml_find(&out, fn_str_from("<Error><Code>X</Code><Code>Y</Code></Error>"), "Error/Code"));
  assert_string_equal(out.data, "X");
  assert_false(fn_xml_find(&out, fn_str_from("<Error><Code>X</Code>"), "Error/Code2"));
  fn_buf_reset(&out);
  fn_xml_escape(&out, fn_str_from("a<b>&\"c\""));
  assert_string_equal(out.data, "a&lt;b&gt;&amp;\"c\"");
  fn_buf_deinit(&out);
  assert_true(fn_xml_is("a/b/c", "*/b/c") && fn_xml_is("a", "*") && fn_xml_is("a/b", "*/*"));
  assert_false(fn_xml_is("a/b/c", "*/b") || fn_xml_is("a/b", "*/b/c") || fn_xml_is("a/bb", "*/b"));
}

static void test_xml_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"",
                                    " ",
                                    "text",
                                    "<a>",
                                    "</a>",
                                    "<a></b>",
                                    "<a><b></a></b>",
                                    "<a b></a>",
                                    "<a b=c></a>",
                                    "<a b='c></a>",
                                    "<a/><b/>",
                                    "<a/>x",
                                    "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
                                    "<a>&x;</a>",
                                    "<a>&#0;</a>",
                                    "<a>&#xD800;</a>",
                                    "<a>&#x110000;</a>",
                                    "<a>&#;</a>",
                                    "<a>&amp</a>",
                                    "<a><![CDATA[x]]></a>",
                                    "<a",
                                    "<",
                                    "< a/>",
                                    "<a>\xff</a>"};
  fn_err err = {0};
  fn_buf out;
  fn_buf_init(&out, 0);
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++)
    if (fn_xml_walk(fn_str_from(bad[i]), "test", gather, &out, &err) != FN_E_INVALID) fail_msg("%s", bad[i]);
  fn_buf deep;
  fn_buf_init(&deep, 0);
  for (int i = 0; i <= FN_XML_DEPTH; i++) fn_buf_append_str(&deep, "<a>");
  assert_status(fn_xml_walk(fn_buf_str(&deep), "test", gather, &out, &err), FN_E_LIMIT);
  fn_buf_deinit(&deep);
  fn_buf_deinit(&out);
}

/* ---- INI */

static const char ini[] =
    "\xEF\xBB\xBF[first]\nregion = f\n# comment\n[default]\naws_access_key_id = AKID\naws_secret_access_key=sec=ret#1\n"
    "  nested = 1\n; other\n[profile  \"a b\"]\r\nRegion =  eu-west-1 \r\nregion = eu-west-2\r\n"
    "empty =\n[ work ]\nregion=x\n[broken\nregion=y\nno equals\n=z";

static void expect_ini(const char *section, const char *key, const char *value) {
  fn_buf out;
  fn_buf_init(&out, 0);
  const bool found = fn_ini_find(&out, fn_str_from(ini), section, key);
  assert_int_equal(found, value != NULL);
  if (value) assert_string_equal(out.data, value);
  fn_buf_deinit(&out);
}

static void test_ini(void **state) {
  (void)state;
  expect_ini("default", "aws_access_key_id", "AKID");
  expect_ini("default", "aws_secret_access_key", "sec=ret#1");
  expect_ini("default", "nested", NULL);
  expect_ini("profile a b", "region", "eu-west-2");
  expect_ini("profile a b", "empty", NULL);
  expect_ini("work", "region", "x");
  expect_ini("nobody", "region", NULL);
  expect_ini("first", "region", "f"); /* behind the mark that Notepad writes */
  static const char below[] =
      "[services a]\ns3 =\n  url = 1\n\n  ; no\n  other = 2\nsts =\n url = 3\nurl = 4\n[b]\n url = 5\n";
  static const struct {
    const char *section, *outer, *key, *value;
  } cases[] = {{"services a", "s3", "url", "1"},
               {"services a", "S3", "other", "2"},
               {"services a", "sts", "url", "3"},
               {"services a", NULL, "url", "4"},
               {"services a", "sts", "other", ""},
               {"services a", "url", "url", ""},
               {"services a", NULL, "other", ""},
               {"b", "s3", "url", ""},
               {"b", NULL, "url", "5"}};
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    fn_buf out;
    fn_buf_init(&out, 0);
    const bool found = fn_ini_find_below(&out, fn_str_from(below), cases[i].section, cases[i].outer, cases[i].key);
    assert_int_equal(found, cases[i].value[0] != 0);
    assert_string_equal(found ? out.data : "", cases[i].value);
    fn_buf_deinit(&out);
  }
  assert_true(fn_ini_has_section(fn_str_from(ini), "first"));
  assert_true(fn_ini_has_section(fn_str_from(ini), "work") && fn_ini_has_section(fn_str_from(ini), "profile a b"));
  assert_false(fn_ini_has_section(fn_str_from(ini), "broken") || fn_ini_has_section(fn_str_from(""), "x"));
}

/* ---- times, checksums */

static void test_when(void **state) {
  (void)state;
  int64_t ms = 0;
  assert_true(fn_when_parse(&ms, "2013-05-24T00:00:01Z") && ms == 1369353601000);
  assert_true(fn_when_parse(&ms, "2013-05-24T00:00:01.250Z") && ms == 1369353601000);
  assert_true(fn_when_parse_http(&ms, fn_str_from("Fri, 24 May 2013 00:00:01 GMT")) && ms == 1369353601000);
  assert_true(fn_when_parse(&ms, "2024-02-29T23:59:59Z") && ms == 1709251199000);
  static const char *const bad[] = {"",
                                    "2013-05-24",
                                    "2013-05-24T00:00:01",
                                    "2013-13-24T00:00:01Z",
                                    "2013-05-24 00:00:01Z",
                                    "2013-05-24T00:00:0xZ",
                                    "2013-05-24T25:00:01Z"};
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) assert_false(fn_when_parse(&ms, bad[i]));
  assert_false(fn_when_parse_http(&ms, fn_str_from("Friday, 24-May-13 00:00:01 GMT")));
  assert_false(fn_when_parse_http(&ms, fn_str_from("Fri, 24 Xay 2013 00:00:01 GMT")));
}

static void test_sums(void **state) {
  (void)state;
  fn_err err = {0};
  fn_sums sums, other = {0};
  assert_ok(fn_sums_bytes(&sums, fn_str_from("123456789"), 15, &err));
  assert_int_equal(sums.crc32, 0xCBF43926); /* the check values of both codes */
  assert_int_equal(sums.crc32c, 0xE3069283);
  assert_string_equal(sums.md5, "25f9e794323b453885f5181f1b624d0b");
  for (unsigned kind = 1; kind <= 8; kind *= 2) {
    fn_buf text;
    fn_buf_init(&text, 0);
    fn_sums_base64(&text, &sums, kind);
    other = (fn_sums){0};
    assert_true(fn_sums_take_base64(&other, kind, fn_buf_str(&text)));
    assert_int_equal(other.kinds, kind);
    assert_ok(fn_sums_check(&sums, &other, "x", &err));
    text.data[0] = text.data[0] == 'A' ? 'B' : 'A';
    assert_true(fn_sums_take_base64(&other, kind, fn_buf_str(&text)));
    assert_status(fn_sums_check(&sums, &other, "x", &err), FN_E_IO);
    fn_buf_deinit(&text);
  }
  assert_false(fn_sums_take_base64(&other, FN_SUM_MD5, fn_str_from("AAAA")));
  assert_false(fn_sums_take_base64(&other, FN_SUM_CRC32, fn_str_from("not base64")));
}

/* Two connections whose keys a service calls expired at the same moment: the second finds them forgotten already. */
static void test_keys_that_expired_for_two(void **state) {
  (void)state;
  fn_aws aws = {.id = fn_str_dup(fn_str_from("id")), .secret = fn_str_dup(fn_str_from("secret")), .expires_ms = 1};
  fn_err err = {0};
  fn_aws lasting = {.id = fn_str_dup(fn_str_from("id")), .expires_ms = INT64_MAX}, none = {.expires_ms = 1};
  fn_google google = {.token = fn_str_dup(fn_str_from("token"))}, nobody = {.token = NULL};
  assert_true(fn_aws_keys_forget(&aws));
  assert_null(aws.id);
  assert_true(fn_aws_keys_forget(&aws));
  assert_false(fn_aws_keys_forget(&lasting));
  assert_false(fn_aws_keys_forget(&none));
  assert_true(fn_google_token_forget(&google));
  assert_true(fn_google_token_forget(&google));
  assert_false(fn_google_token_forget(&nobody));
  assert_ok(fn_google_set_token(&google, "new", INT64_MAX, &err));
  assert_false(google.forgotten);
  fn_aws_deinit(&aws), fn_aws_deinit(&lasting), fn_google_deinit(&google);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_documented_get_object),
      cmocka_unit_test(test_documented_put_object),
      cmocka_unit_test(test_documented_lists),
      cmocka_unit_test(test_time_and_limits),
      cmocka_unit_test(test_xml),
      cmocka_unit_test(test_xml_refused),
      cmocka_unit_test(test_ini),
      cmocka_unit_test(test_when),
      cmocka_unit_test(test_sums),
      cmocka_unit_test(test_keys_that_expired_for_two),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
