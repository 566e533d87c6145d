"""The tables of the labelled set: see `labelled.py` for what a line says. Made up."""

TABLES = """
customers en
id int serial -
first_name text first name.first
last_name text last name.last
email text email contact.email
phone text phone contact.phone_number
date_of_birth date born demographic.date_of_birth
gender text sexword demographic.gender
password_hash text bcrypt authorization.password
loyalty_points int int behavior
preferred_language text language demographic.language
marketing_opt_in bool bool privacy_preferences
is_active bool bool -
created_at timestamptz stamp -
updated_at timestamptz stamp -
last_login_at timestamptz stamp behavior

CUST_MSTR en
CUST_ID int serial -
CUST_FNAME text first name.first
CUST_LNAME text last name.last
CUST_MI text initial name.first
CUST_EMAIL_ADDR text email contact.email
CUST_TEL_NO text barephone contact.phone_number
CUST_DOB date born demographic.date_of_birth
CUST_SSN text ssn government_id.national_identification_number
CUST_ADDR_LN1 text street contact.address.street
CUST_CTY_NM text city contact.address.city
CUST_ST_CD text region contact.address.state
CUST_ZIP_CD text zip contact.address.postal_code
CUST_STAT_CD text kind -
LST_UPDT_TS timestamp stamp -

klanten nl
klant_id int serial -
voornaam text first name.first
tussenvoegsel text null name.last
achternaam text last name.last
geboortedatum date born demographic.date_of_birth
geslacht text sex demographic.gender
bsn text bsn government_id.national_identification_number
emailadres text email contact.email
telefoonnummer text phone contact.phone_number
straatnaam text streetname contact.address.street
huisnummer text houseno contact.address.street
postcode text zip contact.address.postal_code
woonplaats text city contact.address.city
rekeningnummer text iban financial.bank_account
aangemaakt_op timestamptz stamp -
actief bool bool -

Mitarbeiter de
MitarbeiterNr int serial -
Vorname text first name.first
Nachname text last name.last
Geburtsdatum text eurodate demographic.date_of_birth
Geschlecht text sex demographic.gender
EMail text email contact.email
Telefonnummer text phone contact.phone_number
Strasse text streetname contact.address.street
PLZ text zip contact.address.postal_code
Ort text city contact.address.city
Kontonummer text iban financial.bank_account
Gehalt numeric salary financial
Eintrittsdatum date date workplace
Familienstand text marital demographic.marital_status
Abteilung text kind workplace|-
geaendert_am timestamptz stamp -

utilisateurs fr
id int serial -
prenom text first name.first
nom text last name.last|name
courriel text email contact.email
motDePasse text argon authorization.password
dateNaissance date born demographic.date_of_birth
telephone text phone contact.phone_number
adresse text street contact.address.street
codePostal text zip contact.address.postal_code
ville text city contact.address.city
pays text country contact.address.country
sexe text sex demographic.gender
dateCreation timestamptz stamp -

clientes es
id_cliente int serial -
nombre text first name|name.first
apellidos text last name.last
dni text dni government_id.national_identification_number
correo_electronico text email contact.email
telefono_movil text phone contact.phone_number
fecha_nacimiento date born demographic.date_of_birth
direccion text street contact.address.street
ciudad text city contact.address.city
provincia text region contact.address.state
codigo_postal text zip contact.address.postal_code
fecha_alta date date -
saldo numeric cents financial

dipendenti it
id int serial -
nome text first name.first|name
cognome text last name.last
indirizzo text street contact.address.street
citta text city contact.address.city
telefono text phone contact.phone_number
data_nascita date born demographic.date_of_birth
stipendio numeric salary financial

users en
id uuid uuid -
username text user account.username
email text email contact.email
encrypted_password text bcrypt authorization.password
reset_password_token text token authorization.credentials
remember_created_at timestamp stamp -
sign_in_count int small behavior
current_sign_in_ip inet ip device.ip_address
last_sign_in_ip inet ip device.ip_address
confirmed_at timestamp stamp -
otp_secret text token authorization.credentials
avatar_url text image content.self_image
bio text note demographic.profile
website text url contact.url
locale text locale demographic.language
time_zone text tz location.imprecise
role enum kind -|account.settings
admin bool bool -|account.settings
dark_mode bool bool account.settings

auth_user en
id int serial -
password text django authorization.password
last_login timestamptz stamp behavior
is_superuser bool bool -|account.settings
username text user account.username
first_name text first name.first
last_name text last name.last
email text email contact.email
is_staff bool bool -|account.settings
date_joined timestamptz stamp -

sessions en
id text token authorization.credentials|device.cookie_id|-
user_id int >users -
ip_address text ip device.ip_address
user_agent text agent device
payload text token -|authorization.credentials|content|?
last_activity int epoch behavior
created timestamptz stamp -

orders en
id int serial -
customer_id int >customers -
order_no text order -
status text status -
order_date timestamptz stamp behavior.purchase_history|behavior
total numeric cents payment
currency text currency -
shipping_address text street contact.address.street
shipping_city text city contact.address.city
shipping_zip text zip contact.address.postal_code
shipping_country text cc contact.address.country
customer_note text note content|content.private
tracking_code text sku -
delivered bool bool -

order_items en
id int serial -
order_id int >orders -
product_id int >products -
quantity int small -
unit_price numeric cents -
discount numeric ratio -

products en
id int serial -
sku text sku -
name text product -
description text note -
price numeric cents -
weight numeric ratio -
colour text colour -
ean text ean -
stock int int -
brand text kind -
image_url text image -
release_year int year -
rating numeric ratio -
dimensions json sizejson -
tags array tags -
country_of_origin text cc -

categories en
id int serial -
title text product -
slug text search -
parent_id int int -
position int small -
visible bool bool -

country en
country_id int serial -
country text countries -
iso2 text cc -
phone_code text small -

cities nl
id int serial -
name text city -
country_id int >country -
population int big -
latitude float lat -
longitude float lon -

payments en
id int serial -
customer_id int >customers -
amount numeric cents payment
method text status payment|-
card_number text card financial.credit_card
card_last4 text last4 financial.credit_card
card_expiry text expiry financial.credit_card
iban text iban financial.bank_account
paid_at timestamptz stamp behavior|-|payment
reference text order -|payment
cvv int threedigits financial.credit_card

patients en
patient_id int serial -
mrn text sku health_and_medical.record_id
full_name text full name
birth_date date born demographic.date_of_birth
sex text sex demographic.gender
blood_type text blood health_and_medical
diagnosis text icd health_and_medical
allergies text note health_and_medical
insurance_number text nine health_and_medical.insurance_beneficiary_id
emergency_contact text full name
emergency_phone text phone contact.phone_number
marital_status text marital demographic.marital_status
smoker bool bool health_and_medical
bmi numeric ratio health_and_medical
admitted_on date date -|behavior|health_and_medical
notes text note content

employees en
EMPLOYEE_ID int serial -
FirstName text first name.first
Surname text last name.last
JobTitle text job job_title
Salary numeric salary financial
HireDate date date workplace
NationalInsuranceNumber text ssn government_id.national_identification_number
PassportNumber text passport government_id.passport_number
DriversLicenseNo text passport government_id.drivers_license_number
LicensePlate text plate government_id.vehicle_registration
WorkEmail text email contact.email
ManagerId int >employees -
Nationality text countries demographic
Religion text kind demographic.religious_belief
Ethnicity text kind demographic.race_ethnicity
ModifiedDate timestamp stamp -

devices en
id int serial -
user_id int >users -
imei text imei device.device_id
mac_address text mac device.device_id
serial_no text sku device.device_id
model text kind -|device
os_version text version device
push_token text token authorization.credentials
last_ip text ip6 device.ip_address
advertising_id uuid uuid device.device_id
registered_at timestamptz stamp -

web_log en
ts timestamptz stamp -
remote_addr text ip device.ip_address
request text path -
status_code int threedigits -
bytes_sent int int -
referer text url behavior
ua text agent device
session_id text token device.cookie_id
response_ms int int -

search_log en
id int serial -
account_id int >users -
search_query text search behavior.search_history
results int int -|behavior
clicked_url text url behavior.browsing_history
at timestamptz stamp behavior

locations_visited en
id int serial -
user_id int >users -
lat float lat location.precise
lng float lon location.precise
accuracy_m int small -|behavior|location.precise
recorded_at timestamptz stamp -|behavior

posts en
id int serial -
author_id int >users -
title text title content
body text mailnote content
slug text search -
published_at timestamptz stamp -
likes_count int int -
lang text language -

comments en
id int serial -
post_id int >posts -
user_id int >users -
commenter_name text full name
comment text note content.public
ip text ip device.ip_address
approved bool bool -

messages en
id uuid uuid -
sender_id int >users -
recipient_id int >users -
subject text title content.private
message text mailnote content.private
sent_at timestamptz stamp -
read bool bool -

support_tickets en
id int serial -
requester_email text email contact.email
subject text title content.private
description text mailnote content
priority int small -
status enum status -
assigned_to text user account.username|name
attachments json sizejson -
resolution text note content|?

subscribers en
id int serial -
e_mail text email contact.email
confirmed bool bool -
token text token authorization.credentials
source text kind -|?|behavior|content
subscribed_at timestamptz stamp -|privacy_preferences

leads en
Id int serial -
Name text full name
Company text company contact.organization
Title text job job_title|name|content
MobilePhone text phone contact.phone_number
Fax text phone contact.fax_number
LinkedInUrl text url contact.url
AnnualRevenue numeric salary ?|-
LeadSource text kind -|?|behavior|content
DoNotCall bool bool privacy_preferences|account.settings

import_2019 en
f1 text first name|name.first|?
f2 text last name|name.last|?
f3 text email contact.email
f4 text e164 contact.phone_number
f5 text iban financial.bank_account
f6 text bsn government_id.national_identification_number
f7 text ip device.ip_address
f8 text card financial.credit_card
f9 text bcrypt authorization.password
f10 text jwt authorization.credentials
f11 text latlon location.precise
f12 text mac device.device_id
f13 text dni government_id.national_identification_number
f14 text agent device
f15 text ssn government_id.national_identification_number
f16 text imei device.device_id
f17 text countries contact.address.country|-|?

misc_codes en
code text sku -
n1 text nine -
n2 text big -
n3 text year -
h1 text md5 -
h2 text sha256 -
v text version ?|-
p text path -
t text order -
e text ean -
c text colour -
r text ratio -

jobs en
id uuid uuid -
queue text status -
payload json sizejson -
args json personjson *
attempts int small -
run_at timestamptz stamp -
locked_by text token -
last_error text note ?|-

events en
id int serial -
user_id int >users -
name text status -|content
properties json eventjson *
occurred_at timestamptz stamp behavior|-
dwell int int behavior

shipments en
id int serial -
destination json shipjson contact.address
carrier text kind -
weight_kg numeric ratio -
recipient_name text full name
contact_emails array emails contact.email

invoices nl
factuurnummer text order -
klant_id int >klanten -
factuurdatum date date behavior|-|behavior.purchase_history
bedrag numeric cents payment
btw numeric ratio -|payment
omschrijving text title content
betaald bool bool -

students en
student_number text nine unique_id|workplace
name text full name
grade int small ?|-|*
guardian_name text full name
guardian_phone text phone contact.phone_number
school text company contact.organization
dob date born demographic.date_of_birth
age int age demographic.age_range

viewers en
viewer_uuid uuid uuid -
watch_time int int behavior
country text cc contact.address.country|location.imprecise
city text city contact.address.city|location.imprecise
video_id int >videos -
start_date timestamptz stamp -|behavior
user_agent text agent device

videos en
id int serial -
uuid uuid uuid -
name text title -|content
channel_id int int -
duration int int -
views int big -
privacy int small -
file_url text url -
thumbnail text image -
checksum text sha256 -
language text language -
state int small -

settings en
id int serial -
account_id int >users -
theme text colour account.settings
notifications_enabled bool bool -|account.settings
newsletter bool bool privacy_preferences
timezone text tz location.imprecise
items_per_page int small account.settings

audit en
id int serial -
actor text user account.username|name
action text status -
object_type text kind -
object_id int int -
ip text ip device.ip_address
diff json personjson *
created timestamptz stamp -

scheduler en
job text search -|?|job_title
schedule text cron -|?
last_run timestamptz stamp -
enabled bool bool -
retries int small -
timeout_ms int int -
contact text emailornull contact.email

warehouse en
id int serial -
code text sku -
address text street -|contact.address.street
city text city -|contact.address.city
manager_id int >employees -
capacity int int -
phone text phone contact.phone_number

bank_accounts en
id int serial -
holder text full name
account_number text iban financial.bank_account
swift text bic financial.bank_account
balance numeric cents financial
credit_score int threedigits financial
opened date date -|financial

persons de
id int serial -
anrede text kind name|demographic.gender
vollname text full name
mobil text phone contact.phone_number
email_privat text email contact.email
staatsangehoerigkeit text countries demographic
steuer_id text nine government_id.national_identification_number
bild bytes null content.self_image
bemerkung text note content|content.public
"""
"""Blocks of a table name and language, then its columns. `*`: any category of people; `?`: unknown
is right as well."""
