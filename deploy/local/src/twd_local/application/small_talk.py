"""What is said around questions: greetings, questions that no SQL answers, replies. Data only."""

from __future__ import annotations

from twd_local.application.questions import Language

SYSTEM = "You answer questions about the connected database with one read-only SQL query."

CHIT_CHAT: dict[Language, tuple[str, ...]] = {
    "en": (
        *("hello", "Hi!", "thanks", "What is the weather today?", "who are you", "ok", "test"),
        *("Can you write me an e-mail to the boss?", "why?", "Tell me a joke", "???", "👍", "1"),
    ),
    "vi": (
        *("xin chào", "chào bạn", "cảm ơn", "Thời tiết hôm nay thế nào?", "bạn là ai?", "ok"),
        *("alo", "Kể chuyện cười đi", "sao lại thế?", "Hôm nay là thứ mấy?"),
    ),
    "fr": ("bonjour", "merci", "Quel temps fait-il ?", "qui es-tu ?", "pourquoi ?"),
    "ja": ("こんにちは", "ありがとう", "今日の天気は？", "あなたは誰ですか"),
}
CHIT_CHAT_REPLIES: dict[Language, str] = {
    "en": "I can answer questions about your database. What would you like to know?",
    "vi": "Tôi trả lời các câu hỏi về cơ sở dữ liệu. Bạn muốn biết điều gì?",
    "fr": "Je réponds aux questions sur votre base de données. Que voulez-vous savoir ?",
    "ja": "データベースについての質問にお答えします。",
}
NOT_UNDERSTOOD: dict[Language, str] = {
    "en": "I could not turn this into a query. Can you say it in other words?",
    "vi": "Tôi chưa hiểu câu hỏi. Bạn có thể nói rõ hơn không?",
    "fr": "Je n'ai pas compris la question. Pouvez-vous la reformuler ?",
    "ja": "質問を理解できませんでした。言い換えていただけますか？",
}
FAILED: dict[Language, str] = {
    "en": "The query failed.",
    "vi": "Truy vấn bị lỗi.",
    "fr": "La requête a échoué.",
    "ja": "クエリが失敗しました。",
}
ANSWERED: dict[Language, str] = {
    "en": "Here is the result.",
    "vi": "Đây là kết quả.",
    "fr": "Voici le résultat.",
    "ja": "結果はこちらです。",
}
ONLY_THE_FIRST: dict[Language, str] = {
    "en": "Only the first five",
    "vi": "Chỉ lấy năm dòng đầu thôi",
    "fr": "Seulement les cinq premiers",
    "ja": "最初の5件だけ",
}
HOW_MANY: dict[Language, str] = {
    "en": "How many are these in total?",
    "vi": "Tổng cộng có bao nhiêu?",
    "fr": "Combien sont-ils en tout ?",
    "ja": "全部でいくつですか？",
}
