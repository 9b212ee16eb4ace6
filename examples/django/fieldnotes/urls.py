from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.urls import include, path

urlpatterns = [
    path("", include("newsletter.urls")),
    path("admin/", admin.site.urls),
    # Your web server does this. The example has none in front of it.
    path("static/<path:path>", serve, {"insecure": True}),
]
