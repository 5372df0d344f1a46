/* English or not. All sentences were written for this test. */
#include "../test.h"

#include "infer/language.h"

static fn_prose read(const char *text) {
  fn_prose p = {0};
  fn_prose_add(&p, fn_str_from(text), FN_PROSE_TEXT_WORDS);
  return p;
}

static void expect(const char *text, bool english) {
  fn_prose p = read(text);
  if (fn_prose_not_english(&p) != english) return;
  fail_msg("%s: %s (evidence %g, %u words, %u Latin, %u other, %u marks)", english ? "not taken for English" : "missed",
           text, (double)p.evidence / 64.0, p.n_words, p.n_latin, p.n_other, p.n_marks);
}

/* A headline and a sentence each. */
static const char *const latin[] = {
    /* German */ "Regierung beschließt neues Gesetz gegen Lärm in den Städten",
    "Der Bürgermeister sagte am Montag, dass die alte Brücke im nächsten Frühjahr abgerissen wird.",
    "Niemand wusste, warum das Licht im Rathaus noch brannte",
    /* French */ "Le gouvernement reporte la réforme après une nuit de débats",
    "Selon la mairie, les travaux du pont devraient commencer avant la fin de l'année prochaine.",
    "Personne ne sait pourquoi la porte est restée ouverte toute la nuit",
    /* Spanish */ "El senado aprueba la nueva ley tras una larga noche de debate",
    "La alcaldesa dijo el lunes que el viejo puente será derribado en la primavera.",
    "Los vecinos piden que se cierre la calle durante las fiestas",
    /* Portuguese */ "Governo adia reforma depois de uma noite inteira de discussões",
    "A prefeita disse na segunda-feira que a ponte velha vai ser derrubada no próximo ano.",
    /* Italian */ "Il governo rinvia la riforma dopo una lunga notte di trattative",
    "La sindaca ha detto lunedì che il vecchio ponte sarà demolito nella prossima primavera.",
    "Nessuno sapeva perché la luce del municipio fosse ancora accesa",
    /* Dutch */ "Kabinet stelt nieuwe wet uit na een lange nacht vergaderen",
    "De burgemeester zei maandag dat de oude brug volgend voorjaar wordt afgebroken.",
    "Niemand begreep waarom het licht in het stadhuis nog brandde",
    /* Swedish */ "Regeringen skjuter upp den nya lagen efter en lång natt",
    "Borgmästaren sade i måndags att den gamla bron ska rivas nästa vår.",
    /* Danish */ "Regeringen udskyder den nye lov efter en lang nat med forhandlinger",
    "Borgmesteren sagde mandag, at den gamle bro bliver revet ned til foråret.",
    /* Norwegian */ "Regjeringen utsetter den nye loven etter en lang natt",
    "Ordføreren sa mandag at den gamle broen skal rives neste vår.",
    /* Finnish */ "Hallitus lykkää uutta lakia pitkän yön jälkeen",
    "Pormestari sanoi maanantaina, että vanha silta puretaan ensi keväänä.",
    /* Icelandic */ "Ríkisstjórnin frestar nýjum lögum eftir langa nótt",
    /* Estonian */ "Valitsus lükkas uue seaduse edasi pärast pikka ööd",
    /* Latvian */ "Valdība atliek jauno likumu pēc garas nakts sarunām",
    /* Lithuanian */ "Vyriausybė atideda naują įstatymą po ilgos nakties derybų",
    /* Polish */ "Rząd odkłada nową ustawę po długiej nocy rozmów",
    "Burmistrz powiedział w poniedziałek, że stary most zostanie rozebrany na wiosnę.",
    /* Czech */ "Vláda odkládá nový zákon po dlouhé noci jednání",
    "Starosta v pondělí řekl, že starý most bude příští jaro zbourán.",
    /* Slovak */ "Vláda odkladá nový zákon po dlhej noci rokovaní",
    /* Slovene */ "Vlada je po dolgi noči pogajanj preložila nov zakon",
    /* Croatian */ "Vlada odgađa novi zakon nakon duge noći pregovora",
    "Gradonačelnik je u ponedjeljak rekao da će stari most biti srušen na proljeće.",
    /* Hungarian */ "A kormány elhalasztja az új törvényt egy hosszú éjszaka után",
    /* Romanian */ "Guvernul amână noua lege după o noapte lungă de negocieri",
    "Primarul a spus luni că podul vechi va fi demolat în primăvara viitoare.",
    /* Albanian */ "Qeveria shtyn ligjin e ri pas një nate të gjatë bisedimesh",
    /* Turkish */ "Hükümet uzun bir gecenin ardından yeni yasayı erteledi",
    "Belediye başkanı pazartesi günü eski köprünün ilkbaharda yıkılacağını söyledi.",
    /* Azerbaijani */ "Hökumət uzun gecədən sonra yeni qanunu təxirə saldı",
    /* Indonesian */ "Pemerintah menunda undang-undang baru setelah malam yang panjang",
    "Wali kota mengatakan pada hari Senin bahwa jembatan lama akan dibongkar tahun depan.",
    /* Malay */ "Kerajaan menangguhkan undang-undang baharu selepas perbincangan semalaman",
    /* Vietnamese */ "Chính phủ hoãn luật mới sau một đêm dài thảo luận",
    /* Tagalog, of which the table knows nothing */
    "Ipinagpaliban ng pamahalaan ang bagong batas matapos ang mahabang gabi",
    /* Swahili */ "Serikali yaahirisha sheria mpya baada ya usiku mrefu wa mazungumzo",
    "Meya alisema siku ya Jumatatu kwamba daraja la zamani litabomolewa mwaka ujao.",
    /* Afrikaans */ "Die regering stel die nuwe wet uit na 'n lang nag van samesprekings",
    /* Hausa, unknown to the table */ "Gwamnati ta dage sabuwar doka bayan dogon dare na tattaunawa",
    /* Somali, unknown */ "Dowladda ayaa dib u dhigtay sharciga cusub kadib habeen dheer",
    /* Catalan */ "El govern ajorna la nova llei després d'una llarga nit de debats",
    /* Basque */ "Gobernuak lege berria atzeratu du gau luze baten ondoren",
    /* Welsh */ "Y llywodraeth yn gohirio'r gyfraith newydd ar ôl noson hir",
    /* Irish */ "Chuir an rialtas an dlí nua ar athló tar éis oíche fhada cainte",
    /* Esperanto */ "La registaro prokrastas la novan leĝon post longa nokto de diskutoj",
};

static const char *const scripts[] = {
    /* Russian */ "Правительство отложило новый закон после долгой ночи",
    /* Ukrainian */ "Уряд відклав новий закон після довгої ночі переговорів",
    /* Greek */ "Η κυβέρνηση αναβάλλει τον νέο νόμο μετά από μια μεγάλη νύχτα",
    /* Arabic */ "الحكومة تؤجل القانون الجديد بعد ليلة طويلة",
    /* Hebrew */ "הממשלה דוחה את החוק החדש אחרי לילה ארוך",
    /* Persian */ "دولت قانون جدید را پس از شبی طولانی به تعویق انداخت",
    /* Hindi */ "सरकार ने लंबी रात के बाद नया कानून टाल दिया",
    /* Bengali */ "সরকার দীর্ঘ রাতের পর নতুন আইন পিছিয়ে দিল",
    /* Tamil */ "நீண்ட இரவுக்குப் பிறகு அரசு புதிய சட்டத்தை ஒத்திவைத்தது",
    /* Thai */ "รัฐบาลเลื่อนกฎหมายใหม่หลังคืนอันยาวนาน",
    /* Chinese */ "经过漫长的一夜，政府推迟了新法律",
    /* Japanese */ "政府は長い夜のあと新しい法律を延期した",
    /* Korean */ "정부는 긴 밤 끝에 새 법을 연기했다",
    /* Armenian */ "Կառավարությունը հետաձգեց նոր օրենքը երկար գիշերից հետո",
    /* Georgian */ "მთავრობამ გრძელი ღამის შემდეგ ახალი კანონი გადადო",
    /* Amharic */ "መንግሥት ከረጅም ሌሊት በኋላ አዲሱን ሕግ አዘገየ",
    /* a name in Latin letters does not make it English */ "Госдума приняла закон, сообщает Reuters",
};

static const char *const no_prose[] = {
    "",
    "   \t\n",
    "xqzvkj wqpfzt gjxkq vbzzq kdfwjq pqxzv",
    "asdfghjkl qwrtzp mnbvcxy lkjhgf poiuzt rewqas",
    "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZyBhbmQgcnVucw==",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "https://www.example.com/news/2024/05/some-very-long-story-about-the-city?ref=home",
    "www.example.org",
    "https://example.com/a https://example.com/b @someone #hashtag",
    "for (int i = 0; i < n; i++) { sum += values[i] * weights[i]; }",
    "{\"id\": 17, \"name\": \"x\", \"tags\": [\"a\", \"b\"], \"ok\": true}",
    "12345 67890 3.14159 2,000,000 42 7:30 1999-12-31",
    "😀😀😂🎉🔥🔥💯👏👏",
    "!!! ??? ... --- *** ###",
    "\xff\xfe\x80\x81\x90 \xc3\x28 \xa0\xa1",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "zzzzzzz qqqqqqq xxxxxxx wwwwwww jjjjjjj",
};

static const char *const english[] = {
    "Council delays vote on bridge after long night of talks",
    "The mayor said on Monday that the old bridge will be torn down next spring.",
    "COUNCIL DELAYS VOTE ON BRIDGE AFTER LONG NIGHT OF TALKS",
    "Merkel Meets Macron In Brussels To Talk About Budget",
    "Shares of Volkswagen, BMW and Daimler fall 3.5% in Frankfurt trading",
    "5 dead, 12 hurt in $3.5M crash on I-95: police",
    "Why I'm not going back to Naples: 'It wasn't a holiday', says Giulia Rossi",
    "Putin, Erdogan and Rouhani meet in Sochi for talks on Syria",
    "Nobody knows why the café on Rue Mouffetard stayed open all night",
    "Jose Hernandez wins the mayoral race in San Antonio, Texas",
    "You won't believe what this senator did!!! (VIDEO)",
    "Scientists admit that the moon is rented https://example.com/story #moon @nasa",
    "Il Divo announce new tour dates for the summer",
    "“We are done here,” she said. He didn’t answer; the room was silent.",
    "Today at 10:30 there were 66 new cases and 7 deaths, the ministry said",
    "New law bans phones in schools 📵 and parents are divided",
};

static void test_latin(void **state) {
  (void)state;
  for (size_t i = 0; i < FN_COUNT_OF(latin); i++) expect(latin[i], false);
}
static void test_scripts(void **state) {
  (void)state;
  for (size_t i = 0; i < FN_COUNT_OF(scripts); i++) expect(scripts[i], false);
}
static void test_no_prose(void **state) {
  (void)state;
  for (size_t i = 0; i < FN_COUNT_OF(no_prose); i++) expect(no_prose[i], false);
}
static void test_english(void **state) {
  (void)state;
  for (size_t i = 0; i < FN_COUNT_OF(english); i++) expect(english[i], true);
}

/* Random letters and random base64, many of each. */
static void test_random(void **state) {
  (void)state;
  static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  fn_rng rng = fn_rng_make(11, 0);
  for (int n = 0; n < 2000; n++) {
    char text[128];
    for (size_t i = 0; i < sizeof text - 1; i++) {
      text[i] = n % 2 ? base64[fn_rng_below(&rng, 64)] : i % 7 == 6 ? ' ' : (char)('a' + fn_rng_below(&rng, 26));
    }
    text[sizeof text - 1] = '\0';
    expect(text, false);
  }
}

static void test_counts(void **state) {
  (void)state;
  fn_prose p = read("Don't see https://x.example/y, it\xcc\x81 'was' 12% Дом @me");
  assert_int_equal(p.n_words, 4); /* Don't see it was */
  assert_int_equal(p.n_latin, 4 + 3 + 2 + 3);
  assert_int_equal(p.n_other, 3);
  assert_int_equal(p.n_links, 2);
  assert_int_equal(p.n_marks, 5); /* two quotes, 1, 2, % */
  fn_prose few = {0};
  fn_prose_add(&few, fn_str_from("one two three four five"), 3);
  assert_int_equal(few.n_words, 3);
}

/* Only the beginning counts, and one run of 10 MB costs no more than its bound. */
static void test_bounded(void **state) {
  (void)state;
  const size_t n = 10 << 20;
  char *text = malloc(n);
  assert_non_null(text);
  memset(text, 'a', n);
  fn_prose p = {0};
  fn_prose_add(&p, fn_str_make(text, n), FN_PROSE_TEXT_WORDS);
  assert_true(p.n_latin <= FN_PROSE_TEXT_WORDS * 24);
  memset(text, ' ', n);
  p = (fn_prose){0};
  fn_prose_add(&p, fn_str_make(text, n), FN_PROSE_TEXT_WORDS);
  assert_true(fn_prose_not_english(&p));
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_latin),   cmocka_unit_test(test_scripts), cmocka_unit_test(test_no_prose),
      cmocka_unit_test(test_english), cmocka_unit_test(test_random),  cmocka_unit_test(test_counts),
      cmocka_unit_test(test_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
