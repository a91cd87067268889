from django.http import HttpRequest, HttpResponse

from console.accounts.permissions import PUBLIC, requires


@requires(PUBLIC)
def sign_in(request: HttpRequest) -> HttpResponse:
    return HttpResponse("sign in")


def locked_out(request, credentials=None, *args, **kwargs):
    return HttpResponse(status=429)
