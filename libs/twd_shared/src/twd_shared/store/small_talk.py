"""What people say to a program that is no question about a database. Data only.

Belongs here: whole messages that are said in many ways alike. Not here: questions that no database
answers ("what is the weather"): whether it could, only a person knows.
"""

from __future__ import annotations

# English, Vietnamese, French, Spanish, German, Portuguese, and a few of others.
_PHRASES = """
hi, hello, hello there, hi there, hey, good morning, good afternoon, good evening, thanks,
thank you, thank you very much, thanks a lot, thx, ty, ok, okay, yes, no, bye, goodbye, test, help,
who are you, how are you, great, cool, nice, why, please, sorry,
chào, xin chào, chào bạn, alo, cảm ơn, cảm ơn bạn, cám ơn, cám ơn bạn, vâng, dạ, không, tạm biệt,
bạn là ai, sao lại thế, tại sao, được rồi,
bonjour, bonsoir, salut, coucou, merci, merci beaucoup, au revoir, oui, non, d'accord, qui es-tu,
pourquoi,
hola, buenos días, buenas tardes, gracias, muchas gracias, adiós, sí, vale, quién eres,
¿quién eres, por qué, ¿por qué,
hallo, guten morgen, guten tag, guten abend, danke, vielen dank, tschüss, ja, nein, wer bist du,
warum,
olá, oi, bom dia, boa tarde, boa noite, obrigado, obrigada, tchau, sim, não, quem é você, por quê,
こんにちは, ありがとう, ありがとうございます, あなたは誰ですか, はい, いいえ, 你好, 您好, 谢谢,
再见, 안녕하세요, 감사합니다, привет, здравствуйте, спасибо
"""

SMALL_TALK = frozenset(phrase.strip() for phrase in _PHRASES.split(","))
"""The messages, written as `normalised_question` writes them."""
