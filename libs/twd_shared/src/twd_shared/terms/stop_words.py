"""Words of questions that tell no table from another, English and Vietnamese.

Function words, words of asking and words of counting. A noun of a business is never one.
"""

_ENGLISH = """
a about above after all also am an and any are as at be because been before being below between
both but by can could did do does doing down during each every few for from further give get had
has have having he her here hers him his how i if in into is it its itself just let list many may
me might more most much must my no nor not of off on once only or other our out over own per
please same shall she should show so some such tell than that the their them then there these they
this those through to too under until up us very was we were what when where whether which while
who whom whose why will with without would you your find return display fetch give count
"""

_VIETNAMESE = """
ai bao bị bởi các cái cả cần cho chưa có còn của cùng cũng do đã đang đây đấy đến để đi đó được
gì giữa hãy hay hiện hiển thị hơn hoặc khi không kê là lại liệt lấy mà mấy mỗi một muốn nào này nên
nếu ngoài nhất nhiêu những như nhưng ở ra rằng rồi sao sau sẽ so tại tất theo thế thì thuộc tìm tôi
trên trong trước từ từng và vào vẫn về vì với xem đều đâu ít nhiều biết
"""

ENGLISH_STOP_WORDS = frozenset(_ENGLISH.split())
STOP_WORDS = ENGLISH_STOP_WORDS | frozenset(_VIETNAMESE.split())
"""In lower case, accents kept."""
