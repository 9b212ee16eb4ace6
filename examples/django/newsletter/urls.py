from django.urls import path

from . import views

urlpatterns = [
    path("", views.index, name="index"),
    path("subscribe/", views.subscribe, name="subscribe"),
    path("confirm/<token>/", views.confirm, name="confirm"),
    path("import/", views.upload, name="upload"),
    path("import/<job_id>/", views.show_import, name="show_import"),
    path("outbox/", views.show_outbox, name="show_outbox"),
    path("jobs/", views.show_jobs, name="show_jobs"),
]
